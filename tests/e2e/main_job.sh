#!/usr/bin/env bash
# The main job on a real outdated Debian 12, with real libvirtd, libguestfs and packages: listed, refused, planned, patched,
# verified, committed, attested, started.
set -euo pipefail  # without its variables nothing may run
source "$(dirname "$0")/../support/e2e.sh"

machine=web01
libvirt=$WORK/libvirt
inside() { "$VMPATCH_SOURCE_DIR/tests/support/private-libvirtd.sh" exec "$libvirt" "$@"; }
vm-patch() { inside "$VMPATCH" --state-dir "$WORK/state" --config "$WORK/vm-patch.yaml" -c qemu:///system "$@"; }
virsh() { inside "$(type -P virsh)" -q -c qemu:///system "$@"; }
wait_for() { # wait_for SECONDS WHAT COMMAND …
  local left=$1 what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ $left -gt 0 ] || failed "waited in vain for $what"
    sleep 1
  done
}

cat >"$WORK/vm-patch.yaml" <<'CONFIG'
schema: vm-patch/config/v1
groups:
  - name: web
    match: {names: ["web*"]}
    baseline: {attested: true, recipes: {web-updates: 1}}
CONFIG
"$VMPATCH_SOURCE_DIR/tests/support/private-libvirtd.sh" start "$libvirt" >/dev/null
at_end+=('"$VMPATCH_SOURCE_DIR/tests/support/private-libvirtd.sh" stop "$libvirt"')
mkdir -p "$WORK/images" "$WORK/debs"
copy "$(image qcow2 debian-12-outdated)" "$WORK/images/$machine.qcow2"
touch "$WORK/console.log"
chmod 0666 "$WORK/console.log"
cat >"$WORK/$machine.xml" <<XML
<domain type='qemu'>
  <name>$machine</name>
  <memory unit='MiB'>768</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/></os>
  <features><acpi/></features>
  <cpu mode='maximum'/>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='$WORK/images/$machine.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <serial type='file'><source path='$WORK/console.log'/></serial>
  </devices>
</domain>
XML
virsh define "$WORK/$machine.xml"

title 'a dormant machine is listed as shut off, with its disk'
expect_exit 0 vm-patch inventory --json
expect_text "$OUT" '"name": "web01"'
expect_text "$OUT" '"state": "shutoff"'

title 'a guest that writes a header onto its own raw disk stands on nobody, and nothing is opened for it'
watch_bait
hostile_neighbours "$WORK/images"
qemu-img create -q -f qcow2 -b "$WORK/images/$machine.qcow2" -F qcow2 "$WORK/images/evil.img"
truncate -s 1M "$WORK/images/evil.img"
sed "s/<name>.*</<name>evil</; s/type='qcow2'/type='raw'/; s,images/$machine.qcow2,images/evil.img," "$WORK/$machine.xml" >"$WORK/evil.xml"
virsh define "$WORK/evil.xml"
expect_exit 0 vm-patch -v inventory --json
python3 - "$OUT" <<'PYTHON'
import json, sys
machines = {machine["name"]: machine for machine in json.load(open(sys.argv[1]))["machines"]}
assert machines["evil"]["disks"][0]["layers"][0]["format"] == "raw", machines["evil"]
victim = machines["web01"]
assert victim["children"] == [] and victim["possible_children"] == [] and victim["obstacles"] == [], victim
PYTHON

title 'the gate is installed, keeps the hook that was there, and proves that it denies'
printf '#!/bin/sh\necho "$1 $2" >>"%s"\n' "$WORK/user-hook.log" >"$libvirt/etc/hooks/qemu"
chmod 0755 "$libvirt/etc/hooks/qemu"
expect_exit 0 vm-patch gate install --program "$VMPATCH_GATE"
expect_exit 0 vm-patch gate status

title 'an unpatched machine is refused at the start, with a reason and a remedy'
expect_exit 1 virsh start $machine
expect_text "$ERR" 'not-attested'
expect_text "$ERR" 'vm-patch'
expect_text "$WORK/user-hook.log" '^web01 prepare'
expect_same 'state after the refusal' 'shut off' "$(virsh domstate $machine)"

title 'a plan names the packages and their versions before and after'
# Some of what is really outdated today; all of it would take minutes more without showing more.
mapfile -t names < <(awk '$1 ~ /^(openssl|libssl3|tzdata|libexpat1|liblzma5|curl|libcurl4|libssh2-1|libpcre2-8-0)$/ {print $1}' "$(image packages debian-12-outdated)")
[ ${#names[@]} -ge 3 ] || failed "only ${#names[@]} of the usual packages are outdated"
"$VMPATCH_SOURCE_DIR/testimages/fetch-newer" "$(image status debian-12-outdated)" "$WORK/debs" "${names[@]}" >/dev/null
trusted_author
bundle_of web-updates "$WORK/web.vmpatch" "$WORK"/debs/*.deb
expect_exit 3 vm-patch plan -d $machine -r "$WORK/web.vmpatch"
expect_text "$OUT" 'libssl3 .*->'

title 'a start during apply fails by the hook, and by the lock of QEMU without the hook'
vm-patch apply -d $machine -r "$WORK/web.vmpatch" --yes --json >"$WORK/report.json" 2>"$WORK/apply.log" &
apply=$!
at_end+=("kill $apply 2>/dev/null")
# Its end, too, ends the wait: then the log tells why.
wait_for 120 'the appliance' bash -c "grep -q 'step 1 of' '$WORK/apply.log' || ! kill -0 $apply"
grep -q 'step 1 of' "$WORK/apply.log" || { cat "$WORK/apply.log" "$WORK/report.json"; failed 'apply ended before its first step'; }
expect_exit 1 virsh start $machine
expect_text "$ERR" 'being patched|run-unfinished'
hook=$libvirt/etc/hooks/qemu.d/50-vm-patch
mv "$hook" "$WORK/hook"
expect_exit 1 virsh start $machine
expect_text "$ERR" 'lock'
mv "$WORK/hook" "$hook"

title 'apply patches, verifies, commits and attests'
wait $apply || { cat "$WORK/apply.log"; failed "apply ended with exit code $?"; }
expect_text "$WORK/report.json" '"result": "patched"'
expect_exit 0 vm-patch plan -d $machine -r "$WORK/web.vmpatch"
expect_exit 0 vm-patch inspect -d $machine --json
python3 - "$WORK/debs/packages" "$OUT" <<'PYTHON'
import json, sys
facts = json.load(open(sys.argv[2]))["machines"][0]["facts"]
installed = {p["name"]: p["version"] for p in facts["packages"]}
lines = [line.split() for line in open(sys.argv[1])]
assert len(lines) >= 3, "too few outdated packages to mean anything"
wrong = [(name, installed.get(name), wanted) for name, before, wanted in lines if installed.get(name) != wanted]
assert not wrong, wrong
PYTHON
expect_exit 0 qemu-img check "$WORK/images/$machine.qcow2"

title 'a change behind its back is an unattested change and is refused'
copy "$WORK/images/$machine.qcow2" "$WORK/images/copy.qcow2"
qemu-io -f qcow2 -c 'write -P 0 0 512' "$WORK/images/copy.qcow2" >/dev/null
mv "$WORK/images/$machine.qcow2" "$WORK/images/kept.qcow2"
mv "$WORK/images/copy.qcow2" "$WORK/images/$machine.qcow2"
expect_exit 1 virsh start $machine
expect_text "$ERR" 'unattested-change'
mv "$WORK/images/kept.qcow2" "$WORK/images/$machine.qcow2"
expect_exit 1 virsh start $machine
expect_exit 0 vm-patch verify -d $machine -r "$WORK/web.vmpatch"

title 'the patched machine starts, and its own console shows the new versions'
expect_exit 0 virsh start $machine
wait_for 900 'the login prompt' grep -aq 'login:' "$WORK/console.log"

title 'a running machine is refused, nothing is touched'
expect_exit 4 vm-patch apply -d $machine -r "$WORK/web.vmpatch" --yes
expect_text "$OUT" 'web01 is running; shut it down'

title 'after it ran and was shut down, custody lets it start again'
virsh shutdown $machine
wait_for 120 'the end of the machine' sh -c "[ \"\$('$VMPATCH_SOURCE_DIR/tests/support/private-libvirtd.sh' exec '$libvirt' virsh -c qemu:///system domstate $machine)\" = 'shut off' ]"
expect_exit 0 vm-patch verify -d $machine -r "$WORK/web.vmpatch" -v
expect_text "$OUT" 'delivered files: [0-9]+ compared by sha256'
expect_text "$OUT" 'package libssl3 is'
expect_exit 0 virsh start $machine
virsh destroy $machine

title 'history and audit tell who did what, and the chain holds'
expect_exit 0 vm-patch history -d $machine
expect_text "$OUT" 'web-updates'
expect_exit 0 vm-patch audit verify

title 'no verb, and no hook, opened anything because a header names it'
expect_exit 0 vm-patch status
expect_exit 0 vm-patch gate explain -d $machine
expect_exit 0 vm-patch recover
bait_untouched

title 'the hook goes away without a trace'
expect_exit 0 vm-patch gate uninstall
[ ! -e "$hook" ] || failed 'the hook is still there'
[ -x "$libvirt/etc/hooks/qemu" ] || failed "the user's own hook is gone"
echo 'all done'
