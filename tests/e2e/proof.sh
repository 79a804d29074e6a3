#!/usr/bin/env bash
# What is attested was proved: forged package databases, excluded and diverted paths, held packages, recipes that others undid, and the key
# that signs. Guests are edited without an appliance, and none is launched.
set -euo pipefail  # without its variables nothing may run
. "$(dirname "$0")/../support/e2e.sh"

trusted_author
debs=$(image debs mini-debian)
original=$(image raw mini-debian)
disk=$WORK/disk.raw
fresh() { copy "$original" "$disk"; }
in_disk() { debugfs -R "cat $1" "$disk" 2>/dev/null; }
# put FILE PATH: a new or another content. gone PATH
put() { printf 'rm %s\nwrite %s %s\n' "$2" "$1" "$2" | debugfs -w "$disk" >"$WORK/debugfs" 2>&1; }
gone() { debugfs -w -R "rm $1" "$disk" >"$WORK/debugfs" 2>&1; }
# line PATH TEXT: a file of that text
line() { printf '%b' "$2" >"$WORK/line" && put "$WORK/line" "$1"; }
# in_database PACKAGE SED: changes its stanza in dpkg's status
in_database() {
  in_disk /var/lib/dpkg/status | sed "/^Package: $1\$/,/^\$/ $2" >"$WORK/status"
  put "$WORK/status" /var/lib/dpkg/status
}
# deliver DEB: its files, as an upgrade would leave them
deliver() {
  rm -rf "$WORK/deb" && dpkg-deb -x "$1" "$WORK/deb"
  (cd "$WORK/deb" && find . -type f -printf '/%P\n') | while read -r path; do put "$WORK/deb$path" "$path"; done
}
verify() { vm-patch verify -a "$disk" --format raw -r "$@"; }
# of_machine EXPRESSION: of the one machine in the JSON on standard output
of_machine() { python3 -c 'import json, sys; m = json.load(open(sys.argv[1]))["machines"][0]; print(eval(sys.argv[2]))' "$OUT" "$1"; }
not_proved() { # BUNDLE REGEX
  expect_exit 3 verify "$1"
  expect_text "$OUT" "not met: .*$2"
  expect_no_text "$OUT" attested
}
has_no_appliance() { [ -z "$(find "$WORK/state/logs" -name '*.log' -newer "$WORK/before" 2>/dev/null)" ] || failed 'a run was begun'; }

bundle_of app-1 "$WORK/app-1.vmpatch" "$debs"/{libdemo,demo-app}_1.0_all.deb
bundle_of app-2 "$WORK/app-2.vmpatch" "$debs"/{libdemo,demo-app}_2.0_all.deb
# The same packages without checks of their versions: only the step asks.
sed -e 's/^id: .*/id: app-only/' -e '/^verify:/,$d' "$WORK/app-2.yaml" >"$WORK/only.yaml"
vm-patch -q recipe bundle "$WORK/only.yaml" --payloads "$debs" --key "$WORK/author" -o "$WORK/only.vmpatch"

title 'packages in the versions of the bundle are proved by its files'
fresh
expect_exit 0 verify "$WORK/app-1.vmpatch" --json
expect_same proof delivered "$(of_machine 'm["proof"]')"
expect_exit 0 verify "$WORK/app-1.vmpatch" -v
expect_text "$OUT" 'held: delivered files: 2 compared by sha256'
expect_no_text "$OUT" weaker

title 'the right version over an old file is not attested, though every path is excluded'
in_database libdemo 's/^Version: .*/Version: 2.0/'
in_database demo-app 's/^Version: .*/Version: 2.0/'
line /etc/dpkg/dpkg.cfg.d/50-nothing 'path-exclude=/*\n'
for bundle in app-2 only; do
  not_proved "$WORK/$bundle.vmpatch" 'package demo-app 2.0: 1 files are not what it delivers: /usr/bin/demo-app'
done

title 'the right version of which no file is there to compare is not proved'
gone /usr/bin/demo-app
gone /usr/lib/demo/libdemo.txt
not_proved "$WORK/app-2.vmpatch" 'package demo-app 2.0 is not proved: none of its 1 files could be compared: 1 are left out by the guest.s dpkg.cfg'

title 'a later version rests on the guest'\''s own lists, and that is said'
fresh
in_database libdemo 's/^Version: .*/Version: 999/'
in_database demo-app 's/^Version: .*/Version: 999/'
expect_exit 0 verify "$WORK/app-2.vmpatch" --json
expect_same proof own-lists "$(of_machine 'm["proof"]')"
expect_exit 0 verify "$WORK/app-2.vmpatch" -v
expect_text "$OUT" 'holds, attested \(weaker proof'
expect_text "$OUT" 'weaker proof, by the guest.s own lists, which its root can forge: 2 files; .*demo-app 999'

title 'a file that its own list does not fit, does not name, or that has no list, is a finding'
line /usr/bin/demo-app 'another program\n'
not_proved "$WORK/app-2.vmpatch" 'package demo-app 999: 1 files are not what its own md5sums list says: /usr/bin/demo-app'
line /var/lib/dpkg/info/demo-app.md5sums ''
not_proved "$WORK/app-2.vmpatch" 'files are there that its own md5sums list does not name: /usr/bin/demo-app'
line /var/lib/dpkg/info/demo-app.md5sums 'nonsense\n'
not_proved "$WORK/app-2.vmpatch" 'demo-app.md5sums: line 1: expected'
gone /var/lib/dpkg/info/demo-app.md5sums
not_proved "$WORK/app-2.vmpatch" 'demo-app 999 is not proved: /var/lib/dpkg/info/demo-app.md5sums is missing'

title 'a package that the database denies is found by its files'
fresh
in_database demo-app d
in_database libdemo d
not_proved "$WORK/app-2.vmpatch" 'package demo-app: 1 of its files are there, though it is not installed: /usr/bin/demo-app'

title 'that none of its packages is installed is said, and is no proof by its files'
gone /usr/bin/demo-app
gone /usr/lib/demo/libdemo.txt
expect_exit 0 verify "$WORK/app-2.vmpatch" -v
expect_text "$OUT" 'holds, attested \(weaker proof: none of its packages is installed'
expect_text "$OUT" 'held: not installed: .*demo-app'
expect_exit 0 verify "$WORK/app-2.vmpatch" --json
expect_same proof not-installed "$(of_machine 'm["proof"]')"

title 'a recipe for another system is not attested, though nothing that it asks for is missing'
sed -e 's/^id: .*/id: for-ubuntu/' -e 's/os: {id: debian[^}]*}/os: {id: ubuntu, version_id: "24.04"}/' "$WORK/app-2.yaml" >"$WORK/ubuntu.yaml"
vm-patch -q recipe bundle "$WORK/ubuntu.yaml" --payloads "$debs" --key "$WORK/author" -o "$WORK/ubuntu.vmpatch"
for verb in 'verify' 'apply --yes'; do
  # shellcheck disable=SC2086
  expect_exit 0 vm-patch $verb -a "$disk" --format raw -r "$WORK/ubuntu.vmpatch"
  expect_text "$OUT" 'the recipe is for ubuntu, the guest is debian'
  expect_no_text "$OUT" attested
done

title 'a package of links only is proved by its links'
mkdir -p "$WORK/links/DEBIAN" "$WORK/links/usr/lib/links"
printf 'Package: links\nVersion: 2.0\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n' >"$WORK/links/DEBIAN/control"
ln -s libx.so.2 "$WORK/links/usr/lib/links/libx.so"
dpkg-deb --root-owner-group -b "$WORK/links" "$WORK/links_2.0_all.deb" >/dev/null
bundle_of links "$WORK/links.vmpatch" "$WORK/links_2.0_all.deb"
disk=$WORK/links.raw
fresh
{ in_disk /var/lib/dpkg/status && printf 'Package: links\nStatus: install ok installed\nArchitecture: all\nVersion: 2.0\nMaintainer: x\nDescription: x\n\n'; } >"$WORK/status"
put "$WORK/status" /var/lib/dpkg/status
line /etc/dpkg/dpkg.cfg.d/50-nothing 'path-exclude=/*\n'
not_proved "$WORK/links.vmpatch" 'package links 2.0 is not proved: none of its 1 links could be compared: 1 are left out by the guest.s dpkg.cfg'
printf 'mkdir /usr/lib/links\ncd /usr/lib/links\nsymlink libx.so libx.so.2\n' | debugfs -w "$disk" >"$WORK/debugfs" 2>&1
expect_exit 0 verify "$WORK/links.vmpatch" --json
expect_same proof delivered "$(of_machine 'm["proof"]')"
rm "$disk"
disk=$WORK/disk.raw

title 'an old file in the place of a diverted one is what runs'
fresh
in_database demo-app 's/^Version: .*/Version: 2.0/'
in_database libdemo 's/^Version: .*/Version: 2.0/'
deliver "$debs/libdemo_2.0_all.deb"
in_disk /usr/bin/demo-app >"$WORK/old-app"
deliver "$debs/demo-app_2.0_all.deb"
expect_exit 0 verify "$WORK/app-2.vmpatch"
put "$WORK/old-app" /usr/bin/demo-app
put "$WORK/deb/usr/bin/demo-app" /usr/bin/demo-app.new
for owner in : demo-conf; do
  line /var/lib/dpkg/diversions "/usr/bin/demo-app\n/usr/bin/demo-app.new\n$owner\n"
  not_proved "$WORK/app-2.vmpatch" 'diverted files have something else in their place that no package owns: /usr/bin/demo-app'
done
line /var/lib/dpkg/diversions '/usr/bin/demo-app\nnonsense\n:\n'
not_proved "$WORK/app-2.vmpatch" 'diversions: line 2: nonsense is no normal path'

title 'modes and owners that give more away than the package, and a file that a forged diversion puts in the place of another one'
mkdir -p "$WORK/tool/DEBIAN" "$WORK/tool/usr/bin" "$WORK/tool/usr/share/tool"
printf 'Package: tool\nVersion: 2.0\nArchitecture: all\nMaintainer: t <t@t>\nDescription: t\n' >"$WORK/tool/DEBIAN/control"
printf 'secure\n' >"$WORK/tool/usr/bin/tool"
printf 'legacy\n' >"$WORK/tool/usr/share/tool/legacy"
chmod 0644 "$WORK/tool/usr/bin/tool" "$WORK/tool/usr/share/tool/legacy"
dpkg-deb --root-owner-group -b "$WORK/tool" "$WORK/tool_2.0_all.deb" >/dev/null
bundle_of tool "$WORK/tool.vmpatch" "$WORK/tool_2.0_all.deb"
has_tool() { # a fresh guest with it, as dpkg leaves it
  fresh
  { in_disk /var/lib/dpkg/status && printf 'Package: tool\nStatus: install ok installed\nArchitecture: all\nVersion: 2.0\nMaintainer: t\nDescription: t\n\n'; } >"$WORK/status"
  put "$WORK/status" /var/lib/dpkg/status
  debugfs -w -R 'mkdir /usr/share/tool' "$disk" >"$WORK/debugfs" 2>&1
  put "$WORK/tool/usr/bin/tool" /usr/bin/tool
  put "$WORK/tool/usr/share/tool/legacy" /usr/share/tool/legacy
}
disk=$WORK/other.raw
has_tool
expect_exit 0 verify "$WORK/tool.vmpatch"
mode() { debugfs -w -R "sif $1 $2 $3" "$disk" >"$WORK/debugfs" 2>&1; } # PATH FIELD VALUE
# wider WHAT: the mode or owner that was just made is a finding, and none once dpkg-statoverride says it; then all is as delivered again
wider() {
  not_proved "$WORK/tool.vmpatch" "package tool 2.0: 1 files give more away than it says: /usr/bin/tool is $1, delivered as 0644 0:0; restore them .*dpkg-statoverride --add"
  line /var/lib/dpkg/statoverride "#${2:-0} #${3:-0} ${1%% *} /usr/bin/tool\n"
  expect_exit 0 verify "$WORK/tool.vmpatch" -v
  expect_text "$OUT" "another mode or owner.*: /usr/bin/tool is $1, delivered as 0644 0:0, by dpkg-statoverride $1"
  gone /var/lib/dpkg/statoverride
  for field in 'mode 0100644' 'uid 0' 'gid 0'; do mode /usr/bin/tool "${field% *}" "${field#* }"; done
}
mode /usr/bin/tool mode 0106777
wider '6777 0:0'
mode /usr/bin/tool mode 0100666
wider '0666 0:0'
mode /usr/bin/tool uid 1000
wider '0644 1000:0' 1000
mode /usr/bin/tool mode 0102755
mode /usr/bin/tool gid 7
wider '2755 0:7' 0 7
mode /usr/bin/tool mode 0100600
expect_exit 0 verify "$WORK/tool.vmpatch" -v
expect_text "$OUT" 'another mode or owner, which gives nothing away.*: /usr/bin/tool is 0600 0:0, delivered as 0644 0:0'
line /var/lib/dpkg/statoverride 'root 4755 /usr/bin/tool\n'
not_proved "$WORK/tool.vmpatch" '/var/lib/dpkg/statoverride: line 1: expected'
gone /var/lib/dpkg/statoverride
printf 'rm /usr/bin/tool\nsymlink /usr/bin/tool /srv/tool\n' | debugfs -w "$disk" >"$WORK/debugfs" 2>&1
put "$WORK/tool/usr/bin/tool" /srv/tool
not_proved "$WORK/tool.vmpatch" 'give more away than it says: /usr/bin/tool is a link'
put "$WORK/tool/usr/share/tool/legacy" /usr/bin/tool
gone /usr/share/tool/legacy
line /var/lib/dpkg/diversions '/usr/share/tool/legacy\n/usr/bin/tool\n:\n'
not_proved "$WORK/tool.vmpatch" 'files are diverted to where another one belongs: /usr/share/tool/legacy in /usr/bin/tool; remove the diversion'
disk=$WORK/disk.raw

title 'what the mount table hides or shows in another place is what runs'
# table LINE: the patched guest of disk.raw with this line in its fstab, and an old program in /opt/old
table() {
  fresh
  in_database demo-app 's/^Version: .*/Version: 2.0/'
  in_database libdemo 's/^Version: .*/Version: 2.0/'
  printf 'mkdir /opt/old\nmkdir /srv/data\nmkdir /data\n' | debugfs -w "$disk" >"$WORK/debugfs" 2>&1
  in_disk /usr/bin/demo-app >"$WORK/old-app"
  put "$WORK/old-app" /opt/old/demo-app
  deliver "$debs/libdemo_2.0_all.deb"
  deliver "$debs/demo-app_2.0_all.deb"
  { in_disk /etc/fstab && printf '%b\n' "$1"; } >"$WORK/fstab"
  put "$WORK/fstab" /etc/fstab
}
disk=$WORK/mounts.raw
table '/opt/old/demo-app /usr/bin/demo-app none bind 0 0'
not_proved "$WORK/app-2.vmpatch" 'package demo-app 2.0: 1 files are not what it delivers: /usr/bin/demo-app'
for line in '/srv/var /var none rbind' '/opt/var /var/lib/dpkg none bind' 'overlay /usr overlay lowerdir=/usr,upperdir=/opt/u,workdir=/opt/w' \
  'nas:/old /usr/lib/demo nfs ro' '/srv/old.img /usr/lib/demo ext4 defaults' 'tmpfs /var tmpfs defaults'; do
  read -r what where type _ <<<"$line"
  table "$line 0 0"
  expect_exit 4 verify "$WORK/app-2.vmpatch"
  expect_text "$ERR" "fstab.* $what .*$where.*(fstab|patch).*while it runs"
  expect_no_text "$OUT" attested
done
table 'tmpfs /usr/lib/demo tmpfs defaults 0 0'
not_proved "$WORK/app-2.vmpatch" 'package libdemo 2.0: 1 files are not what it delivers'
table 'UUID=1b0e7a3c-0000-4000-8000-000000000001 /usr/lib/demo ext4 defaults 0 0'
not_proved "$WORK/app-2.vmpatch" 'package libdemo 2.0: 1 files are not what it delivers'
table 'tmpfs /tmp tmpfs nosuid 0 0\ntmpfs /run tmpfs size=10% 0 0\n/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0\nnas:/home /home nfs _netdev 0 0\n/srv/data /data none bind 0 0\n/swap none swap sw 0 0\nproc /proc proc defaults 0 0'
expect_exit 0 verify "$WORK/app-2.vmpatch"

title 'a name that a folder has twice may be another file for the guest'
table ''
put "$WORK/old-app" /usr/bin/demo-bad
tune2fs -O ^metadata_csum "$disk" >"$WORK/debugfs" 2>&1
python3 - "$disk" <<'PYTHON'
import mmap, sys
with open(sys.argv[1], "r+b") as file, mmap.mmap(file.fileno(), 0) as disk:
    at = disk.find(b"\x08\x01demo-bad")  # the entry's length of the name, its type, and the name
    assert at > 0
    disk[at + 2:at + 10] = b"demo-app"
PYTHON
expect_exit 1 verify "$WORK/app-2.vmpatch"
expect_text "$ERR" 'holds the name demo-app twice, and the guest may open the other one; run e2fsck -f'
expect_no_text "$OUT" attested
disk=$WORK/disk.raw

title 'of a file that a later step edits only the edit is compared, and that is said'
cat >"$WORK/edited.yaml" <<'YAML'
schema: vm-patch/recipe/v1
id: edited
version: 1
title: A file, then an edit of it
issued: 2020-01-01
applies_to: {os: {id: debian}}
steps:
  - file: {path: /etc/ssh/sshd_config, content: "Protocol 2\nPasswordAuthentication no\n", mode: "0644"}
  - edit: {path: /etc/ssh/sshd_config, lens: sshd, set: {PermitRootLogin: "no"}}
YAML
vm-patch -q recipe bundle "$WORK/edited.yaml" --key "$WORK/author" -o "$WORK/edited.vmpatch"
disk=$WORK/edited.raw
fresh
line /etc/ssh/sshd_config 'PasswordAuthentication yes\nPermitRootLogin no\n'
expect_exit 0 verify "$WORK/edited.vmpatch" --json
expect_same proof own-lists "$(of_machine 'm["proof"]')"
expect_exit 0 verify "$WORK/edited.vmpatch" -v
expect_text "$OUT" 'weaker proof.*/etc/ssh/sshd_config, of which only what a later step edits is compared'
disk=$WORK/disk.raw

title 'a held older package is not met, and refused before anything is launched'
fresh
in_database demo-app 's/^Status: install/Status: hold/'
in_database libdemo 's/^Status: install/Status: hold/'
held=$(digest_of "$disk")
touch "$WORK/before"
for bundle in app-2 only; do
  not_proved "$WORK/$bundle.vmpatch" 'package demo-app is held at 1.0, wanted 2.0'
  expect_exit 4 vm-patch plan -a "$disk" --format raw -r "$WORK/$bundle.vmpatch"
  expect_text "$OUT" "package demo-app is held at 1.0 by the guest's administrator, the recipe wants 2.0; .*apt-mark unhold demo-app.* a recipe without it"
  expect_exit 4 vm-patch apply -a "$disk" --format raw -r "$WORK/$bundle.vmpatch" --yes
  expect_text "$OUT" 'demo-app is held at 1.0 .*apt-mark unhold demo-app'
done
expect_same 'digest of the disk' "$held" "$(digest_of "$disk")"
has_no_appliance

title 'an earlier recipe is attested again as long as it holds, and named when it does not'
vm-patch -q key generate "$WORK/other" >/dev/null
vm-patch -q key trust "$WORK/other.pub" --role author >/dev/null
motd() { # TEXT: a recipe that wants it, by the other author
  cat >"$WORK/motd.yaml" <<YAML
schema: vm-patch/recipe/v1
id: motd-$1
version: 1
title: A line for whoever logs in
issued: 2020-01-01
applies_to: {os: {id: debian}}
steps: [{file: {path: /etc/motd, content: "$1\n"}}]
YAML
  vm-patch -q recipe bundle "$WORK/motd.yaml" --key "$WORK/other" -o "$WORK/motd-$1.vmpatch"
}
motd one
motd two
# attested: what the ledger says of the disk now
attested() {
  { vm-patch status --json || true; } 2>"$ERR" | python3 -c '
import json, sys
machine = next(m for m in json.load(sys.stdin)["machines"] if m["name"] == sys.argv[1])
print(*(r["id"] + ":" + r["proof"] for r in machine["attestation"]["satisfied"]))' "$disk"
}
fresh
line /etc/motd 'one\n'
expect_exit 0 verify "$WORK/motd-one.vmpatch"
expect_exit 0 verify "$WORK/app-1.vmpatch"
expect_same 'what is attested' 'motd-one:delivered app-1:delivered' "$(attested)"
line /etc/motd 'two\n'
expect_exit 0 verify "$WORK/motd-two.vmpatch" --json
expect_same 'what is dropped' "motd-one 1" "$(of_machine '" ".join(d["id"] + " " + str(d["version"]) for d in m["dropped"])')"
expect_text <(of_machine 'm["dropped"][0]["reason"]') 'it does not hold any more: /etc/motd has other content'
expect_same 'what is attested' 'app-1:delivered motd-two:delivered' "$(attested)"
line /usr/bin/demo-app 'changed\n'
expect_exit 0 verify "$WORK/motd-two.vmpatch"
expect_text "$OUT" 'no longer attested: app-1 version 1: it does not hold any more: package demo-app 1.0: 1 files are not'
expect_same 'what is attested' 'motd-two:delivered' "$(attested)"

title 'an earlier recipe whose envelope, payload or key is gone is not attested any more'
fresh
line /etc/motd 'two\n'
kept() { find "$WORK/state/payloads/recipes" -name "$(sha256sum "$1" | cut -d' ' -f1)*"; }
again() { expect_exit 0 verify "$WORK/motd-two.vmpatch" && expect_exit 0 verify "$WORK/app-1.vmpatch" && expect_same both 'motd-two:delivered app-1:delivered' "$(attested)"; }
again
rm "$(kept "$WORK/motd.yaml")"
expect_exit 0 verify "$WORK/app-1.vmpatch"
expect_text "$OUT" 'no longer attested: motd-two version 1: its signed envelope is not kept here .*; verify the machine with its bundle'
again
rm "$WORK/state/payloads/sha256"/*/"$(digest_of "$debs/demo-app_1.0_all.deb")"
expect_exit 0 verify "$WORK/motd-two.vmpatch"
expect_text "$OUT" 'no longer attested: app-1 version 1: payload demo-app_1.0_all.deb'
again
vm-patch -q key revoke "$(vm-patch key list --json | python3 -c 'import json, sys; print(next(k["id"] for k in json.load(sys.stdin)["keys"] if k["name"] == "other"))')" --reason 'laptop lost' >/dev/null
expect_exit 0 verify "$WORK/app-1.vmpatch"
expect_text "$OUT" 'no longer attested: motd-two version 1: .*laptop lost'
expect_same 'what is attested' 'app-1:delivered' "$(attested)"
expect_exit 0 vm-patch audit verify

title 'a version of a recipe is seen as soon as its bundle was at hand'
sed 's/^version: 1/version: 2/' "$WORK/app-1.yaml" >"$WORK/newer.yaml"
vm-patch -q recipe bundle "$WORK/newer.yaml" --payloads "$debs" --key "$WORK/author" -o "$WORK/newer.vmpatch"
vm-patch plan -a "$disk" --format raw -r "$WORK/newer.vmpatch" >/dev/null
expect_exit 5 verify "$WORK/app-1.vmpatch"
expect_text "$ERR" 'recipe app-1 version 1 is older than version 2, which was used here'
sed 's/^version: 1/version: 3/' "$WORK/only.yaml" >"$WORK/only-3.yaml"
vm-patch -q recipe bundle "$WORK/only-3.yaml" --payloads "$debs" --key "$WORK/author" -o "$WORK/only-3.vmpatch"
expect_exit 0 vm-patch recipe verify "$WORK/only-3.vmpatch"
expect_exit 5 verify "$WORK/only.vmpatch"
expect_text "$ERR" 'recipe app-only version 1 is older than version 3, which was used here'
expect_exit 0 vm-patch recipe verify "$WORK/only.vmpatch"
expect_text "$ERR" 'app-only version 3 was used here: version 1 is refused'

title 'an earlier recipe of which a newer version was seen is not attested again'
expect_exit 0 verify "$WORK/newer.vmpatch"
sed 's/^version: 2/version: 3/' "$WORK/newer.yaml" >"$WORK/newest.yaml"
vm-patch -q recipe bundle "$WORK/newest.yaml" --payloads "$debs" --key "$WORK/author" -o "$WORK/newest.vmpatch"
expect_exit 0 vm-patch recipe verify "$WORK/newest.vmpatch"
line /etc/motd 'three\n'
sed -e 's/^id: .*/id: motd-three/' -e 's/two/three/' "$WORK/motd.yaml" >"$WORK/three.yaml"
vm-patch -q recipe bundle "$WORK/three.yaml" --key "$WORK/author" -o "$WORK/three.vmpatch"
expect_exit 0 verify "$WORK/three.vmpatch"
expect_text "$OUT" 'no longer attested: app-1 version 2: recipe app-1 version 2 is older than version 3'
expect_same 'what is attested' 'motd-three:delivered' "$(attested)"

title 'an attestation key that was taken away is not replaced in silence'
mv "$WORK/state/keys/attest" "$WORK/taken"
expect_exit 4 verify "$WORK/three.vmpatch"
expect_text "$ERR" "attestation key $WORK/state/keys/attest is not there, and this host has signed before .*; put it back; .*vm-patch key generate $WORK/state/keys/attest"
[ ! -e "$WORK/state/keys/attest" ] || failed 'a new key was made'
mv "$WORK/taken" "$WORK/state/keys/attest"

title 'a key of the configuration signs; what keys before it signed still verifies'
signer_of() { # of the newest attestation
  python3 - "$WORK/state/ledger.sqlite" <<'PYTHON'
import json, sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("SELECT envelope FROM attestations ORDER BY time DESC LIMIT 1").fetchall()
print(json.loads(rows[0][0])["signatures"][0]["keyid"])
PYTHON
}
id_of() { openssl pkey -in "$1" -pubout -outform DER | sha256sum | cut -d' ' -f1; }
expect_same 'who signed' "$(id_of "$WORK/state/keys/attest")" "$(signer_of)"
copy "$original" "$WORK/second.raw"
printf 'schema: vm-patch/config/v1\nattestation_key: %s/host.key\n' "$WORK" >"$WORK/vm-patch.yaml"
second() { vm-patch verify -a "$WORK/second.raw" --format raw -r "$WORK/newest.vmpatch"; }
expect_exit 1 second
expect_text "$ERR" "attestation key $WORK/host.key is not there; make it with 'vm-patch key generate"
vm-patch -q key generate "$WORK/host.key" >/dev/null
chmod 0640 "$WORK/host.key"
for verb in second "vm-patch apply -a $WORK/second.raw --format raw -r $WORK/newest.vmpatch --yes" 'vm-patch rollback 00000000-0000-4000-8000-000000000000'; do
  # shellcheck disable=SC2086  # no path here has a space
  expect_exit 4 $verb
  expect_text "$ERR" "attestation key: signing key $WORK/host.key: mode 0640 lets others use it; run: chmod 600"
done
chmod 0600 "$WORK/host.key"
expect_exit 0 second
expect_same 'who signed' "$(id_of "$WORK/host.key")" "$(signer_of)"
expect_exit 0 vm-patch audit verify
expect_text "$OUT" '^attestations +[0-9]+, signatures hold'
rm "$WORK/state/keys/signers/$(id_of "$WORK/host.key").pub"
expect_exit 5 vm-patch audit verify
expect_text "$ERR" 'unknown key'
