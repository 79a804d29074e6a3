#!/usr/bin/env bash
# A patched machine is started before its disks are written: one that comes up is committed, one whose start the patch breaks is not.
# Two appliances and two starts of a real Debian. What needs no guest that starts is in tests/crash/boot.py.
set -euo pipefail  # without its variables nothing may run
. "$(dirname "$0")/../support/e2e.sh"

disk=$WORK/debian.qcow2 pay=$WORK/payloads
mkdir "$pay"
copy "$(image qcow2 debian-12-outdated)" "$disk"
before=$(digest_of "$disk")
trusted_author
printf 'schema: vm-patch/config/v1\nboot_proof: kernel\nboot_timeout: 20m\n' >"$WORK/vm-patch.yaml"

# bundle NAME STEP [CHECK]: a signed recipe.
bundle() {
  {
    printf '%s\n' 'schema: vm-patch/recipe/v1' "id: $1" 'version: 1' 'title: Boot' 'issued: 2020-01-01' 'applies_to: {os: {id: debian}}'
    [ ! -e "$pay/$1.sh" ] || printf 'payloads:\n  - {name: %s.sh, sha256: "%s", size: %s}\n' "$1" "$(digest_of "$pay/$1.sh")" "$(stat -c %s "$pay/$1.sh")"
    printf 'steps:\n  - %s\n' "$2"
    [ $# -lt 3 ] || printf 'verify:\n  - %s\n' "$3"
  } >"$WORK/$1.yaml"
  vm-patch -q recipe bundle "$WORK/$1.yaml" --payloads "$pay" --key "$WORK/author" -o "$WORK/$1.vmpatch"
}
printf '#!/bin/sh\nfor initrd in /boot/initrd.img-*; do : >"$initrd"; done\necho done >/etc/broken\n' >"$pay/break.sh"
bundle break 'run: {payload: break.sh, timeout: 60s}' 'file: {path: /etc/broken, content: "done\n"}'
bundle good 'file: {path: /etc/motd.d/10-patched, content: "patched\n", mode: "0644"}'

title 'a patch that empties the initial file system is found out by the kernel that cannot start, and the disk is as it was'
expect_exit 1 vm-patch apply -a "$disk" --format qcow2 -r "$WORK/break.vmpatch" --yes
expect_text "$OUT" 'does not start after the patch: its kernel panicked \(.*Kernel panic - not syncing'
run=$(vm-patch history --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["runs"][0]["id"])')
expect_text "$OUT" "its console and screen are in $WORK/state/logs/$run.console and $WORK/state/logs/$run.screen.png"
expect_text "$WORK/state/logs/$run.console" 'Kernel panic - not syncing'
expect_text "$WORK/state/logs/$run.console" 'Linux version'
head -c 4 "$WORK/state/logs/$run.screen.png" | grep -q PNG || failed 'the picture is none'
expect_same 'modes of the evidence' '600 600' "$(stat -c %a "$WORK/state/logs/$run.console" "$WORK/state/logs/$run.screen.png" | xargs)"
expect_same 'digest of the disk' "$before" "$(digest_of "$disk")"
expect_same 'what is left' '' "$(find "$WORK/state/runs" -mindepth 1)"
cp "$WORK/state/logs/$run.console" "$WORK/panic.console"

title 'a patch after which it comes up to the login prompt is committed, and the report says so'
expect_exit 0 vm-patch apply -a "$disk" --format qcow2 -r "$WORK/good.vmpatch" --yes --boot-proof always --json
expect_same 'boot proof' 'True login-prompt True' "$(python3 -c '
import json, sys
proof = json.load(open(sys.argv[1]))["machines"][0]["report"]["boot_proof"]
print(proof["up"], proof["how"], proof["seconds"] > 0)' "$OUT")"
expect_exit 0 vm-patch verify -a "$disk" --format qcow2 -r "$WORK/good.vmpatch"
expect_exit 0 qemu-img check -q -f qcow2 "$disk"

title 'what the started machine wrote is not on the disk: it never ran'
root=$(($(sfdisk -d "$(image raw debian-12-outdated)" | sed -n 's/.*start= *\([0-9]*\),.*name="root".*/\1/p') * 512))
qemu-img convert -f qcow2 -O raw "$disk" "$WORK/debian.raw"
debugfs -R 'ls -p /var/log/journal' "$WORK/debian.raw?offset=$root" >"$OUT" 2>/dev/null
expect_no_text "$OUT" '/[0-9a-f]{32}/'
debugfs -R 'stat /var/log/wtmp' "$WORK/debian.raw?offset=$root" >"$OUT" 2>/dev/null
expect_text "$OUT" 'Size: 0'
