#!/usr/bin/env bash
# inspect: what it shows, the cache, bills of materials, and machines that cannot be read.
set -euo pipefail  # without its variables nothing may run
source "$(dirname "$0")/../support/e2e.sh"
json() { python3 -c "import json,sys; d=json.load(open('$OUT')); print($1)"; }
disk=$WORK/outdated.qcow2
copy "$(image qcow2 debian-12-outdated)" "$disk"
sleep 3  # what was written within the last seconds is never taken from the cache

title "facts for people"
expect_exit 0 vm-patch -v inspect -a "$disk" --format qcow2
expect_text "$OUT" '^  system +Debian GNU/Linux 12 \(bookworm\) \(debian 12\)$'
expect_text "$OUT" '^  architecture +x86_64$'
expect_text "$OUT" 'amd64, starts by default \(/boot/grub/grub\.cfg\)$'
expect_text "$OUT" '^  init +systemd$'
expect_text "$OUT" '^  machine-id +(set|empty|missing|uninitialized)$'
expect_text "$OUT" '^  cloud-init +absent$'
expect_text "$OUT" '^  last ran +no trace'
expect_text "$OUT" '^  mounts +UUID=.* on / \(ext4, '
expect_text "$OUT" '^  packages +[0-9]+ installed \(dpkg\)$'
expect_text "$OUT" '^  read by +direct: '
expect_text "$OUT" '^  read +now$'

title "the second answer comes from the cache, --fresh and a changed disk do not"
sleep 3  # what was written within the last two seconds is never kept
expect_exit 0 vm-patch -v inspect -a "$disk" --format qcow2
expect_text "$OUT" '^  read +20[0-9-]+T[0-9:]+Z, disks unchanged since$'
expect_exit 0 vm-patch -v inspect --fresh -a "$disk" --format qcow2
expect_text "$OUT" '^  read +now$'
expect_exit 0 vm-patch inspect -a "$disk" --format qcow2 --json
expect_same "from the cache" True "$(json 'd["machines"][0]["cached"]')"
cached=$(json 'd["machines"][0]["facts"]')
touch "$disk"
expect_exit 0 vm-patch inspect -a "$disk" --format qcow2 --json
expect_same "from the disk" False "$(json 'd["machines"][0]["cached"]')"
expect_same "facts from cache and disk" "$cached" "$(json 'd["machines"][0]["facts"]')"
expect_same "schema" vm-patch/inspect/v1 "$(json 'd["schema"]')"

title "every package of the guest's own list"
json '"\n".join(sorted(p["name"] + " " + p["version"] for p in d["machines"][0]["facts"]["packages"]))' >"$WORK/packages"
awk '/^Package: /{p=$2} /^Version: /{print p, $2}' "$(image status debian-12-outdated)" | LC_ALL=C sort >"$WORK/expected"
LC_ALL=C sort "$WORK/packages" | cmp - "$WORK/expected" || failed "packages differ"

title "bills of materials are the same for the same disk, and go where they are told"
for format in cyclonedx spdx; do
  expect_exit 0 vm-patch inspect -a "$disk" --format qcow2 --sbom $format -o "$WORK/$format.json"
  expect_same "standard output" "" "$(cat "$OUT")"
done
sleep 3
expect_exit 0 vm-patch inspect --fresh -a "$disk" --format qcow2
expect_exit 0 vm-patch inspect -a "$disk" --format qcow2 --sbom cyclonedx
cp "$OUT" "$WORK/first"
expect_exit 0 vm-patch inspect -a "$disk" --format qcow2 --sbom cyclonedx
cmp "$OUT" "$WORK/first" || failed "two bills of one reading differ"
expect_text "$OUT" '"purl": "pkg:deb/debian/libssl3@3\.[0-9.]+-1~deb12u[0-9]+\?arch=amd64&distro=debian-12&upstream=openssl%40'
expect_text "$WORK/spdx.json" '"spdxVersion": "SPDX-2.3"'
expect_exit 2 vm-patch inspect -a "$disk" --format qcow2 --sbom swid
expect_exit 2 vm-patch inspect -a "$disk" --format qcow2 -o "$WORK/x"
expect_exit 2 vm-patch --json inspect -a "$disk" --format qcow2 --sbom spdx

title "a machine that cannot be read does not stop the others"
truncate -s 64M "$WORK/empty.raw"
raw=$WORK/mini.raw
copy "$(image raw mini-debian)" "$raw"
expect_exit 4 vm-patch inspect -a "$WORK/empty.raw" -a "$raw" --format raw
expect_text "$ERR" 'empty\.raw.*no operating system found'
expect_text "$OUT" '^  packages +[0-9]+ installed \(dpkg\)$'
expect_exit 4 vm-patch inspect -a "$WORK/empty.raw" -a "$raw" --format raw --json
expect_same "error beside facts" "True True" "$(json '"error" in d["machines"][0], "facts" in d["machines"][1]' | tr -d '(),')"
expect_exit 2 vm-patch inspect -a "$WORK/empty.raw" -a "$raw" --format raw --sbom spdx
expect_text "$ERR" 'name a folder that exists'
mkdir "$WORK/bills"
expect_exit 4 vm-patch inspect -a "$WORK/empty.raw" -a "$raw" --format raw --sbom spdx -o "$WORK/bills"
expect_same "files" 1 "$(find "$WORK/bills" -name '*mini.raw-*.spdx.json' | wc -l)"

title "a folder that may not be read is a gap in every answer; what is passed over by rule is a note"
tree=$WORK/tree
mkdir -p "$tree/closed" "$tree/old" "$WORK/home" "$WORK/run"
copy "$raw" "$tree/one.raw"
copy "$raw" "$tree/closed/two.raw"
ln -s one.raw "$tree/link.raw"
: >"$tree/old/ledger.sqlite"
chown -R 65534:65534 "$tree" "$WORK/home" "$WORK/run"
chmod 0700 "$WORK/run"
nobody() {
  setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs --inh-caps=-all \
    env -i -C "$WORK/home" PATH="$PATH" HOME="$WORK/home" XDG_RUNTIME_DIR="$WORK/run" TMPDIR="$WORK/home" "$VMPATCH" -c test:///default "$@"
}
expect_exit 0 nobody inventory --folder "$tree"
expect_text "$OUT" "^passed over: $tree/link.raw: a symbolic link"
expect_text "$OUT" "^passed over: $tree/old: a state directory"
expect_exit 0 nobody inspect --folder "$tree" --json
expect_same machines 2 "$(json 'len(d["machines"])')"
expect_exit 0 nobody scan --folder "$tree" --package dpkg --json
expect_same complete True "$(json 'd["complete"]')"
chown root:root "$tree/closed"
chmod 0700 "$tree/closed"
expect_exit 1 nobody inventory --folder "$tree"
expect_text "$OUT" "^not read: $tree/closed: this folder may not be read"
expect_text "$OUT" '/tree/one.raw'
expect_exit 1 nobody inventory --folder "$tree" --json
expect_same complete False "$(json 'd["complete"]')"
expect_same gaps 1 "$(json 'sum(len(h["gaps"]) for h in d["hosts"])')"
expect_exit 1 nobody inspect --folder "$tree" --json
expect_same machines 1 "$(json 'len(d["machines"])')"
expect_exit 1 nobody scan --folder "$tree" --package dpkg
expect_text "$OUT" "^not read: $tree/closed: this folder may not be read"
expect_exit 1 nobody scan --folder "$tree" --package dpkg --json
expect_same "complete, unread" "False 1" "$(json 'd["complete"], len(d["unread"])' | tr -d '(),')"

trusted_author
bundle_of demo "$WORK/demo.vmpatch" "$(find "$(image debs mini-debian)" -name 'demo-conf_1.0_all.deb')"
mkdir -p "$WORK/home/state"
cp "$WORK/state/trust.yaml" "$WORK/home/state/trust.yaml"
cp "$WORK/demo.vmpatch" "$WORK/home/demo.vmpatch"
chown -R 65534:65534 "$WORK/home"
expect_exit 0 nobody --state-dir "$WORK/home/state" plan -a "$tree/one.raw" --format raw -r "$WORK/home/demo.vmpatch"
expect_exit 1 nobody --state-dir "$WORK/home/state" plan --folder "$tree" -r "$WORK/home/demo.vmpatch"
expect_text "$ERR" "warning: $tree/closed: this folder may not be read"

title "the log of readings is continued, so that those at the same time do not write over each other, and starts again when it is long"
log=$WORK/state/logs/read.log
echo 'of another reading' >"$log"
expect_exit 0 vm-patch inspect --fresh -a "$raw" --format raw
expect_text "$log" '^of another reading$'
truncate -s 2M "$log"
expect_exit 0 vm-patch inspect --fresh -a "$raw" --format raw
[ "$(stat -c %s "$log")" -lt 1000000 ] || failed "the log grows for ever"

title "what is not read directly says so, also from the cache"
dirty=$WORK/dirty.raw
copy "$(image dirty_journal mini-debian)" "$dirty"
sleep 3
for _ in 1 2; do
  expect_exit 0 vm-patch -v inspect -a "$dirty" --format raw
  expect_text "$OUT" '^  read by +appliance.*; not read directly: .*journal needs recovery'
done
expect_text "$OUT" 'disks unchanged since$'
