#!/usr/bin/env bash
# Package repositories of the configuration: taken over from this machine's own apt, listed, refused.
set -euo pipefail  # without its variables nothing may run
source "$(dirname "$0")/../support/e2e.sh"

configure() { { echo 'schema: vm-patch/config/v1'; cat "$@"; } >"$WORK/vm-patch.yaml"; }
configure /dev/null

title 'what this machine updates itself from is taken over'
expect_exit 0 vm-patch repository import -o "$WORK/own.yaml"
expect_text "$OUT" '[1-9][0-9]* repositories, '
expect_text "$WORK/own.yaml" '^  - name: '
expect_exit 0 vm-patch repository import
expect_same 'the same on standard output' "$(cat "$WORK/own.yaml")" "$(cat "$OUT")"
expect_exit 0 vm-patch --json repository import
python3 - "$OUT" <<'PYTHON'
import json, os, subprocess, sys
result = json.load(open(sys.argv[1]))
found = {(uri.rstrip("/"), suite, component) for source in result["repositories"]
         for uri in source["uris"] for suite in source["suites"] for component in source["components"]}
asked = subprocess.run(["apt-get", "-o", "APT::Get::IndexTargets::ReleaseInfo=no", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)", "Created-By: Packages"],
                       check=True, capture_output=True, text=True).stdout
own = {tuple(line.split()) for line in asked.splitlines()}
assert found and found <= own, (own, found)
assert found == own or result["left_out"], (own - found)
assert all(os.path.exists(file) for source in result["repositories"] for file in source["signed_by"]), result
PYTHON

title 'and is what list shows, once it is pasted'
configure "$WORK/own.yaml"
expect_exit 0 vm-patch repository list
expect_text "$OUT" '^NAME +TYPE +FOR +URI +SUITES +COMPONENTS +SECURITY +SIGNED BY$'
expect_no_text "$OUT" 'missing|unreadable'
expect_exit 0 vm-patch --json repository list
python3 - "$OUT" "$WORK/own.yaml" <<'PYTHON'
import json, re, sys
listed = json.load(open(sys.argv[1]))["repositories"]
assert [r["name"] for r in listed] == re.findall(r"- name: (\S+)", open(sys.argv[2]).read()), listed
assert all(key["state"] == "readable" for r in listed for key in r["signed_by"]), listed
PYTHON

title 'an apt with sources of every kind: what cannot be carried over is told, without its password'
mkdir -p "$WORK/parts" "$WORK/lists/partial"
printf 'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "%s";\nDir::State::lists "%s";\n' "$WORK/parts" "$WORK/lists" >"$WORK/apt.conf"
other_apt() { APT_CONFIG=$WORK/apt.conf vm-patch "$@"; }
cat >"$WORK/parts/a.list" <<'LIST'
deb [signed-by=/etc/apt/keyrings/a.gpg] http://a.example/debian bookworm main contrib
deb [signed-by=/etc/apt/keyrings/a.gpg] cdrom:[Debian]/ bookworm main
deb [signed-by=/etc/apt/keyrings/a.gpg] tor+http://tor.example/debian bookworm main
deb [signed-by=/etc/apt/keyrings/a.gpg] mirror+file:/etc/mirrors bookworm main
deb [signed-by=/etc/apt/keyrings/a.gpg] http://flat.example/x ./
deb [signed-by=/etc/apt/keyrings/a.gpg] https://user:secret@private.example/debian bookworm main
deb [trusted=yes] http://unsigned.example/debian bookworm main
LIST
cat >"$WORK/parts/b.sources" <<'SOURCES'
# of jammy
Types: deb deb-src
URIs: https://u.example/ubuntu
Suites: jammy jammy-security
Components: main universe
Signed-By: /etc/apt/keyrings/u.gpg

Types: deb
Enabled: no
URIs: https://off.example/
Suites: jammy
Components: main
SOURCES
expect_exit 0 other_apt repository import
expect_text "$OUT" '- name: a.example-bookworm$'
expect_text "$OUT" 'for: \{os: "ubuntu", versions: \["22.04"\]\}'
expect_text "$OUT" 'signed_by: \["/etc/apt/keyrings/u.gpg"\]'
expect_same 'security' 1 "$(grep -c 'security: true' "$OUT")"
expect_text "$ERR" 'left out: cdrom:.*https:, http: or file: only'
expect_text "$ERR" 'left out: tor\+http:.*https:, http: or file: only'
expect_text "$ERR" 'left out: mirror\+file:.*https:, http: or file: only'
expect_text "$ERR" 'left out: http://flat.example/x/ ./: .*flat repository'
expect_text "$ERR" 'left out: https://\[hidden\]@private.example/debian/ bookworm: .*no user name and no password'
expect_text "$ERR" 'left out: http://unsigned.example/debian/ bookworm: .*trusted=yes'
expect_same 'left out' 6 "$(grep -c 'left out' "$ERR")"
cat "$OUT" "$ERR" >"$WORK/said"
expect_no_text "$WORK/said" 'secret|off.example'
expect_exit 0 other_apt --json repository import
expect_no_text "$OUT" 'secret'
expect_same 'left out' 6 "$(grep -c '"reason"' "$OUT")"
expect_exit 0 other_apt repository import --os devuan --release 5
expect_text "$OUT" 'for: \{os: "devuan", versions: \["5"\]\}'
expect_no_text "$OUT" 'ubuntu", versions'

title 'errors name the way out, and no password either'
echo 'deb http://third.example/ bookworm main' >"$WORK/parts/c.list"
expect_exit 2 other_apt repository import
expect_text "$ERR" 'http://third.example/ bookworm: .*run apt-get update'
expect_text "$ERR" '--signed-by FILE'
expect_same 'nothing is printed' '' "$(cat "$OUT")"
expect_exit 1 other_apt repository import --signed-by "$WORK/absent.gpg"
expect_text "$ERR" 'no such file'
echo key >"$WORK/third.gpg"
expect_exit 0 other_apt repository import --signed-by "$WORK/third.gpg"
expect_text "$OUT" "signed_by: \[\"$WORK/third.gpg\"\]"
echo 'deb [trusted=no] https://user:secret@private.example/debian bookworm main' >"$WORK/parts/d.list"
echo 'deb [trusted=yes] https://user:secret@private.example/debian bookworm main' >>"$WORK/parts/d.list"
expect_exit 1 other_apt repository import --signed-by "$WORK/third.gpg"
expect_text "$ERR" 'apt-get indextargets ended with exit code 100: .*Conflicting'
expect_no_text "$ERR" 'secret'
rm "$WORK/parts/"*
expect_exit 1 other_apt repository import
expect_text "$ERR" 'no sources of packages'
echo 'deb [trusted=yes] http://unsigned.example/debian bookworm main' >"$WORK/parts/a.list"
expect_exit 4 other_apt repository import
expect_text "$ERR" 'none of the 1 sources'
expect_exit 2 vm-patch repository import --release 12
expect_exit 2 vm-patch repository
expect_text "$ERR" 'repository needs a verb'

title 'a mistake in the configuration is told with its place by every verb'
configure - <<'YAML'
repositories:
  - {name: a, for: {os: debian}, uris: ["https://user:secret@a.example/"], suites: [s], components: [main], signed_by: [/k]}
YAML
expect_exit 2 vm-patch repository list
expect_text "$ERR" 'vm-patch.yaml:3:41: an address holds no user name and no password'
expect_no_text "$ERR" 'secret'
configure /dev/null
expect_exit 0 vm-patch repository list
expect_text "$OUT" 'no repository is configured in .*vm-patch repository import'
