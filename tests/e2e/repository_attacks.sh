#!/usr/bin/env bash
# What is wrong with a package repository is refused by the name of the attack, over file: and http:, and what was accepted before stays.
# No guest and no appliance.
set -euo pipefail  # without its variables nothing may run
. "$(dirname "$0")/../support/e2e.sh"
. "$(dirname "$0")/../support/apt_repository.sh"

debs=$(image debs mini-debian)
signing_key archive
signing_key stranger
repo=$WORK/repo
lists=$repo/dists/stable/main/binary-amd64
published "$repo" stable archive "$debs"/{libdemo,demo-app}_1.0_all.deb
cp -a "$repo" "$WORK/good"

# A server that gives a file with .endless in its place for ever, and one with .short only half of what it says it has.
cat >"$WORK/server.py" <<'PY'
import http.server, os, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments): pass
    def do_GET(self):
        path = self.translate_path(self.path)
        if os.path.exists(path + '.endless'):
            self.send_response(200); self.end_headers()
            try:
                while True: self.wfile.write(b'x' * 65536)
            except OSError: return
        if os.path.exists(path + '.short'):
            data = open(path, 'rb').read()
            self.send_response(200); self.send_header('Content-Length', str(len(data))); self.end_headers()
            self.wfile.write(data[:len(data) // 2]); return
        super().do_GET()
os.chdir(sys.argv[1])
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
open(sys.argv[2] + '.new', 'w').write(str(server.server_address[1])); os.rename(sys.argv[2] + '.new', sys.argv[2])
server.serve_forever()
PY
python3 -B "$WORK/server.py" "$repo" "$WORK/port" &
at_end+=("kill $!")
until [ -e "$WORK/port" ]; do kill -0 $! || failed 'there is no server'; sleep 0.05; done

uri=
configure() { # LINE …: further keys of the entry
  {
    printf 'schema: vm-patch/config/v1\nrepositories:\n'
    repository demo "$uri" stable archive "$@"
  } >"$WORK/vm-patch.yaml"
}
whole() { rm -rf "$repo"/* && cp -a "$WORK/good"/. "$repo"/; }
state() { find "$WORK/state/repositories" -name '*.json' -exec sha256sum {} +; }
# refused REGEX [CODE]: by this name, and what is remembered is what was accepted before
refused() {
  local before
  before=$(state)
  expect_exit "${2:-5}" vm-patch repository refresh
  expect_text "$ERR" "repository demo, stable: .*$1"
  expect_same 'what is remembered' "$before" "$(state)"
  whole
}
resign() { release "$repo" stable "$@" && sign "$repo" stable archive; }

for way in file http; do
  if [ $way = file ]; then uri=file://$repo/; else uri=http://127.0.0.1:$(cat "$WORK/port")/; fi
  rm -rf "$WORK/state/repositories" "$WORK/cache"
  export VM_PATCH_CACHE=$WORK/cache
  configure
  whole

  title "$way: a good repository is accepted, and its dates and signers are told"
  expect_exit 0 vm-patch repository refresh
  expect_text "$OUT" 'demo +stable .*archive <archive@example.org>'
  expect_exit 0 vm-patch repository show --json
  expect_text "$OUT" '"suite": "stable"'

  title "$way: unsigned, signed by a stranger, or changed after it was signed"
  cp "$repo/dists/stable/Release" "$repo/dists/stable/InRelease"
  refused 'it is not signed'
  sign "$repo" stable stranger
  refused 'signed by key .*, which is in none of the keyrings'
  sed -i 's/^Label: Demo/Label: Demo2/' "$repo/dists/stable/InRelease"
  refused 'it was changed after it was signed'

  title "$way: text around the signed part is not believed"
  { printf 'Origin: Evil\nCodename: other\n\n'; cat "$repo/dists/stable/InRelease"; } >"$WORK/InRelease" && mv "$WORK/InRelease" "$repo/dists/stable/InRelease"
  expect_exit 0 vm-patch repository refresh --json
  expect_no_text "$OUT" Evil
  whole

  title "$way: freeze: expired by its own word, or older than max_age permits"
  resign Valid-Until="$(date_in '-1 hour')"
  refused 'freeze: it expired .* ago'
  configure 'max_age: 2d'
  resign Date="$(date_in '-3 days')"
  rm -rf "$WORK/state/repositories"  # else it is a rollback
  expect_exit 5 vm-patch repository refresh
  expect_text "$ERR" 'freeze: it was made .*max_age'
  configure
  whole
  expect_exit 0 vm-patch repository refresh

  title "$way: rollback: older than what was seen, though its signature is good"
  resign Date="$(date_in '-3 days')"
  refused 'rollback: it was made .*, before the one of'

  title "$way: made in the future, another archive, another label, a suite that was not asked for"
  resign Date="$(date_in '+3 days')"
  refused 'clock: it was made'
  resign Codename=sid
  refused "another archive: its codename was 'stable' and is 'sid'"
  resign Label=Other
  refused "another archive: its label was 'Demo' and is 'Other'"
  resign Suite=testing Codename=testing
  refused 'another archive: it is testing'

  title "$way: mix and match: lists that are not those that were signed, and lists that are missing"
  in_suite "$repo" stable "$debs"/{libdemo,demo-app}_2.0_all.deb  # lists newer than the Release file
  rm -rf "$WORK/cache"
  refused 'mix and match or tampering: main/binary-amd64/Packages.xz is not the one that was signed'
  rm "$lists"/Packages*
  rm -rf "$WORK/cache"
  refused 'main/binary-amd64/Packages' 1
  resign Components=contrib
  refused 'it has no component main' 1
  resign Architectures=arm64
  refused 'it has nothing for amd64' 1
  expect_exit 0 vm-patch repository refresh
done

title 'http: endless and cut-off files'
touch "$repo/dists/stable/InRelease.endless"
refused 'larger than' 1
touch "$repo/dists/stable/InRelease.short"
refused '' 1
rm -rf "$WORK/cache"
touch "$lists/Packages.xz.endless"
refused 'mix and match or tampering'
rm -rf "$WORK/cache"
touch "$lists/Packages.xz.short"
refused 'Packages.xz' 1

title 'a key that has expired vouches for nothing, and one that is revoked neither'
gpg --batch --quiet --faked-system-time "$(date -u -d '-10 days' +%Y%m%dT%H%M%S)!" --pinentry-mode loopback --passphrase '' \
  --quick-gen-key 'old <old@example.org>' ed25519 sign "$(date -u -d '-5 days' +%Y-%m-%d)" 2>"$WORK/gpg"
gpg --batch --quiet --export old@example.org >"$WORK/archive.gpg.old"
gpg --batch --quiet --yes --faked-system-time "$(date -u -d '-8 days' +%Y%m%dT%H%M%S)!" --local-user old@example.org --clearsign \
  -o "$repo/dists/stable/InRelease" "$repo/dists/stable/Release" 2>"$WORK/gpg"
cp "$WORK/archive.gpg" "$WORK/archive.gpg.good" && cat "$WORK/archive.gpg.old" >>"$WORK/archive.gpg"
refused 'the key .* that signed it has expired'
cp "$WORK/archive.gpg.good" "$WORK/archive.gpg"

title 'a pin holds one state: another one is refused, and the pinned one is accepted though it is older'
pin=$(digest_of "$WORK/good/dists/stable/InRelease")
configure "snapshot: \"sha256:$pin\""
expect_exit 0 vm-patch repository refresh
expect_text "$OUT" pinned
resign
refused 'snapshot: InRelease has the SHA-256'
configure

title 'another archive on purpose: forget it first'
resign Label=Moved
expect_exit 5 vm-patch repository refresh
expect_exit 0 vm-patch repository forget demo
expect_exit 0 vm-patch repository refresh
expect_exit 1 vm-patch repository forget never
expect_exit 2 vm-patch repository forget ../state
