#!/usr/bin/env bash
# The hook cannot hurt a machine that runs: real libvirtd, real QEMU, the installed hook, and a program behind it that is gone, crashes
# or stands before broken databases. What must be denied is denied all the same.
set -euo pipefail  # without its variables nothing may run
. "$(dirname "$0")/../support/e2e.sh"

# The private libvirtd keeps sockets here, so the path must be short.
host=$(mktemp -d /var/tmp/vpl.XXXXXX)
at_end+=('rm -rf --one-file-system "$host"')
libvirtd() { "$VMPATCH_SOURCE_DIR/tests/support/private-libvirtd.sh" "$1" "$host" "${@:2}"; }
at_end=('libvirtd stop' "${at_end[@]}")
libvirtd start >/dev/null
inside() { libvirtd exec "$@"; }
virsh() { inside "$(type -P virsh)" -q -c qemu:///system "$@"; }
vm-patch() { inside "$VMPATCH" --state-dir "$WORK/state" --config "$WORK/vm-patch.yaml" -c qemu:///system "$@"; }
state_of() { virsh domstate "$1" | head -n 1; }
# saved_memory NAME: what custody.sqlite has of it: memory|managed.
saved_memory() {
  python3 - "$WORK/state/custody.sqlite" "$(virsh domuuid "$1")" <<'PYTHON'
import sqlite3, sys
row = sqlite3.connect(sys.argv[1]).execute("SELECT memory, managed FROM saved WHERE machine_uuid = ?", [sys.argv[2].strip()]).fetchone()
print("none" if row is None else f"{row[0]}|{row[1]}")
PYTHON
}

cat >"$WORK/vm-patch.yaml" <<'CONFIG'
schema: vm-patch/config/v1
groups:
  - name: web
    match: {names: ["web*"]}
    baseline: {attested: true}
CONFIG
mkdir "$WORK/images" "$WORK/gate"
trusted_author
bundle_of app "$WORK/app.vmpatch" "$(image debs mini-debian)/demo-app_1.0_all.deb"

# The guest has no kernel: it stays in its firmware, and only we write its disk.
define() {
  copy "$(image qcow2 mini-debian)" "$WORK/images/$1.qcow2"
  cat >"$WORK/$1.xml" <<XML
<domain type='qemu'><name>$1</name><memory unit='MiB'>32</memory><os><type arch='x86_64'>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='$WORK/images/$1.qcow2'/><target dev='vda' bus='virtio'/></disk>
<controller type='scsi' model='virtio-scsi'/></devices></domain>
XML
  virsh define "$WORK/$1.xml"
  virsh dumpxml --inactive "$1" >"$WORK/$1.defined.xml"
}
attest() { expect_exit 0 vm-patch verify -d "$1" -r "$WORK/app.vmpatch"; }
guest_writes() {
  local before
  before=$(stat -c %y "$WORK/images/$1.qcow2")
  virsh qemu-monitor-command "$1" --hmp 'qemu-io -d /machine/peripheral/virtio-disk0/virtio-backend "write -P 7 60M 64k"' >"$OUT"
  expect_no_text "$OUT" .
  [ "$before" != "$(stat -c %y "$WORK/images/$1.qcow2")" ] || failed "nothing was written to the disk of $1"
}
define web01
define web02
define db01

# The program that the hook calls, so that it can be taken away, and what it meets can be broken just before it runs.
program=$WORK/gate/vm-patch-gate
real_program() { cp "$VMPATCH_GATE" "$program.new" && mv "$program.new" "$program"; }
# program_at OPERATION SHELL-LINES: they run before the real one does, at that operation only.
cp "$VMPATCH_GATE" "$WORK/gate/real"
program_at() {
  cat >"$program.new" <<SHELL
#!/bin/sh
while [ "\$1" != -- ]; do options="\$options \$1"; shift; done
shift
if [ "\$2" = $1 ]; then
$2
fi
exec $WORK/gate/real \$options -- "\$@"
SHELL
  chmod 0755 "$program.new"
  mv "$program.new" "$program"
}
real_program
expect_exit 0 vm-patch gate install --program "$program"
expect_exit 0 vm-patch gate status

title 'an attested machine starts, another one does not'
attest web01
virsh start web01
expect_exit 1 virsh start web02
expect_text "$ERR" 'denied: not-attested'

title 'libvirtd is restarted while the program is gone, cannot be executed, is empty, crashes or fails: the machine runs on'
pid=$(cat "$host/run/libvirt/qemu/web01.pid")
for broken in 'rm "$program"' 'chmod 0644 "$program"' ': >"$program"' 'program_at reconnect "kill -SEGV \$\$"' 'program_at reconnect "exit 1"'; do
  real_program
  eval "$broken"
  libvirtd restart
  expect_same "after $broken" running "$(state_of web01)"
  expect_same "QEMU after $broken" "$pid" "$(cat "$host/run/libvirt/qemu/web01.pid")"
done

title 'starts are denied meanwhile, and what ends does end'
rm "$program"
expect_exit 1 virsh start web02
expect_text "$ERR" 'the gate.s program gave no answer'
expect_exit 3 vm-patch gate status --no-proof
expect_text "$OUT" 'hook +NOT OK +.*is no program'
: >"$program"
chmod 0755 "$program"
expect_exit 1 virsh start web02
virsh destroy web01
expect_same 'a machine that is ended' 'shut off' "$(state_of web01)"
real_program
attest web01

title 'a hook script of an earlier form is told, and installed anew'
hook=$host/etc/hooks/qemu.d/50-vm-patch
printf '%s\n' '#!/bin/sh' "# Written by 'vm-patch gate install'. Remove it with 'vm-patch gate uninstall'." \
  "exec '$program' --state-dir '$WORK/state' -- \"\$@\"" >"$hook"
expect_exit 3 vm-patch gate status --no-proof
expect_text "$OUT" "another form than this vm-patch writes.*run 'vm-patch gate install'"
virsh start web01
virsh destroy web01
expect_exit 0 vm-patch gate install --program "$program"
expect_exit 0 vm-patch gate status

title 'a cold boot goes on when the program crashes at started, or finds its databases gone, damaged or held'
custody=$WORK/state/custody.sqlite
hold="python3 -c 'import sqlite3, time; db = sqlite3.connect(\"$custody\", isolation_level=None); db.execute(\"BEGIN IMMEDIATE\"); \
print(\"held\", flush=True); time.sleep(600)' >$WORK/held 2>&1 </dev/null & echo \$! >$WORK/holder; until grep -q held $WORK/held; do sleep 0.1; done"
mend() {
  [ ! -e "$WORK/holder" ] || { kill "$(cat "$WORK/holder")"; rm "$WORK/holder" "$WORK/held"; }
  if [ -d "$WORK/kept" ]; then
    rm -f "$WORK/state/custody.sqlite"*
    mv "$WORK"/kept/* "$WORK/state/"
    rmdir "$WORK/kept"
  fi
  chmod 0700 "$WORK/state"
}
at_end=(mend "${at_end[@]}")
take_away="mkdir $WORK/kept; mv $custody* $WORK/kept"
damaged="$take_away; echo x >$custody"
no_ledger="$take_away; mv $WORK/state/ledger.sqlite* $WORK/kept"
troubles=('kill -SEGV $$' 'exit 1' "$damaged" "$no_ledger" "chmod 0777 $WORK/state" "$hold")
for trouble in "${troubles[@]}"; do
  program_at started "$trouble"
  expect_exit 0 virsh start web01
  expect_same "after: $trouble" running "$(state_of web01)"
  mend
  real_program
  guest_writes web01
  virsh destroy web01
  expect_exit 0 vm-patch gate explain -d web01
done

title 'a revert to a snapshot with memory is denied, whatever the state folder is like, and the machine is off then'
virsh start web01
virsh snapshot-create-as web01 before
for trouble in '' "$damaged" "$no_ledger" "$hold"; do
  [ "$(state_of web01)" = running ] || { attest web01; virsh start web01; }
  guest_writes web01
  [ -z "$trouble" ] || program_at started "$trouble"
  expect_exit 1 virsh snapshot-revert web01 before
  expect_text "$ERR" 'denied: (unattested-change|records-tampered|ledger-unreadable|custody-unreadable|timeout)'
  expect_same "after: $trouble" 'shut off' "$(state_of web01)"
  mend
  real_program
done

title 'a machine without a baseline is reverted as ever'
virsh start db01
virsh snapshot-create-as db01 before
guest_writes db01
expect_exit 0 virsh snapshot-revert db01 before
expect_same 'after the revert' running "$(state_of db01)"
virsh destroy db01

title 'saved memory is recorded with the disks, over a restart of libvirtd too, until the machine runs again'
attest web01
virsh start web01
guest_writes web01
virsh save web01 "$WORK/web01.save"
expect_same 'saved' '1|0' "$(saved_memory web01)"
libvirtd restart
expect_same 'saved, after a restart' '1|0' "$(saved_memory web01)"
virsh restore "$WORK/web01.save"
expect_same 'restored' running "$(state_of web01)"
expect_same 'restored' '0|0' "$(saved_memory web01)"

title 'a restore of the running machine is refused, and its custody stays'
expect_exit 1 virsh restore "$WORK/web01.save"
expect_text "$ERR" 'denied: still-running'
guest_writes web01
virsh destroy web01
expect_exit 0 virsh start web01

title 'so it is where the gate allows the restore, and libvirt refuses it'
virsh start db01
virsh save db01 "$WORK/db01.save"
virsh restore "$WORK/db01.save"
expect_exit 1 virsh restore "$WORK/db01.save"
expect_no_text "$ERR" 'denied'
expect_same 'the running machine' running "$(state_of db01)"
virsh destroy db01

title 'managed saves are recorded as such'
virsh managedsave web01
expect_same 'saved' '1|1' "$(saved_memory web01)"
expect_exit 4 vm-patch gate forget-save -d web01 --reason test
expect_text "$ERR" 'virsh managedsave-remove'
virsh start web01
expect_same 'restored' '0|0' "$(saved_memory web01)"

title 'a disk that is plugged in and pulled out live does not make the next start or restore fail'
qemu-img create -q -f raw "$WORK/images/data.raw" 1M
virsh attach-disk web01 "$WORK/images/data.raw" sdb --live
guest_writes web01
virsh managedsave web01
expect_exit 0 vm-patch gate explain -d web01
expect_exit 0 virsh start web01
virsh destroy web01
expect_exit 0 virsh start web01
virsh attach-disk web01 "$WORK/images/data.raw" sdb --live
virsh save web01 "$WORK/web01.save"
expect_exit 0 virsh restore "$WORK/web01.save"
virsh destroy web01
expect_exit 0 virsh start web01

title 'a disk that joins the definition is denied'
virsh attach-disk web01 "$WORK/images/data.raw" sdb --live --config
virsh destroy web01
expect_exit 1 virsh start web01
expect_text "$ERR" 'denied: unattested-change: .*disk sdb is new'
virsh detach-disk web01 sdb --config
expect_exit 0 virsh start web01

title 'an attested disk that leaves the definition is missed'
virsh destroy web01
virsh attach-disk web01 "$WORK/images/data.raw" sdb --config
virsh detach-disk web01 vda --config
expect_exit 1 virsh start web01
expect_text "$ERR" 'denied: unattested-change: .*disk vda is gone'
virsh define "$WORK/web01.defined.xml"

title 'memory whose file is thrown away is forgotten with a reason, once, and the chain holds'
virsh start web01
virsh save web01 "$WORK/web01.save"
rm "$WORK/web01.save"
expect_exit 2 vm-patch gate forget-save -d web01 --reason ' '
expect_exit 0 vm-patch gate forget-save -d web01 --reason 'the file is deleted' --json
expect_text "$OUT" 'vm-patch/gate-forget-save/v1'
expect_same 'forgotten' '0|0' "$(saved_memory web01)"
expect_exit 1 vm-patch gate forget-save -d web01 --reason 'again'
expect_text "$ERR" 'no saved memory of web01 is known; there is nothing to forget'
expect_exit 0 vm-patch audit list
expect_text "$OUT" 'gate.forget-save.*the file is deleted'
expect_exit 0 vm-patch audit verify

title 'memory of a run before the last one belongs to older disks: its restore is denied, no override helps'
virsh start web01
virsh suspend web01
virsh save web01 "$WORK/web01.save"
expect_same 'saved of a suspended machine' '1|0' "$(saved_memory web01)"
expect_exit 0 virsh restore "$WORK/web01.save"
virsh resume web01
guest_writes web01
virsh destroy web01
attest web01
expect_exit 1 virsh restore "$WORK/web01.save"
expect_text "$ERR" 'denied: saved-disks-changed: its last run ended without saving memory'
expect_exit 0 vm-patch gate override -d web01 --reason 'it will not help'
expect_exit 1 virsh restore "$WORK/web01.save"

title 'memory stays with its disks, whatever the machine is called since'
attest web02
virsh start web02
virsh save web02 "$WORK/web02.save"
virsh undefine web02
sed 's/>web02</>renamed</' "$WORK/web02.xml" >"$WORK/renamed.xml"
virsh define "$WORK/renamed.xml"
libvirtd restart
expect_exit 4 vm-patch plan -d renamed -r "$WORK/app.vmpatch"
expect_text "$OUT" 'renamed has memory that was saved to a file'
virsh undefine renamed
expect_exit 4 vm-patch plan -a "$WORK/images/web02.qcow2" --format qcow2 -r "$WORK/app.vmpatch"
expect_text "$OUT" 'has memory that was saved to a file'
virsh define "$WORK/renamed.xml"
expect_exit 0 vm-patch gate forget-save -d renamed --reason 'its machine is gone'
expect_exit 0 vm-patch plan -d renamed -r "$WORK/app.vmpatch"
virsh undefine renamed

title 'an end that no libvirt daemon saw is not believed'
attest web01
virsh start web01
expect_exit 0 virsh dumpxml web01
libvirtd halt
kill -KILL "$(cat "$host/run/libvirt/qemu/web01.pid")"
libvirtd restart
expect_same 'after the restart' 'shut off' "$(state_of web01)"
printf x | dd of="$WORK/images/web01.qcow2" bs=1 count=1 seek=$((1 << 20)) conv=notrunc status=none
expect_exit 1 virsh start web01
expect_text "$ERR" 'denied: unattested-change'
attest web01
expect_exit 0 virsh start web01
virsh destroy web01

title 'a disk that is given by pool and volume is a disk'
virsh pool-define-as images dir --target "$WORK/images"
virsh pool-start images
sed -e "s|type='file' device|type='volume' device|" -e "s|<source file='[^']*'[^>]*/>|<source pool='images' volume='web01.qcow2'/>|" "$WORK/web01.defined.xml" >"$WORK/web01.volume.xml"
virsh define "$WORK/web01.volume.xml"
expect_exit 0 virsh start web01
guest_writes web01
virsh destroy web01
expect_exit 0 virsh start web01
virsh destroy web01
printf x | dd of="$WORK/images/web01.qcow2" bs=1 count=1 seek=$((1 << 20)) conv=notrunc status=none
expect_exit 1 virsh start web01
expect_text "$ERR" 'denied: unattested-change'

title 'the hook can be taken away whatever the records are like'
echo x >"$WORK/state/ledger.sqlite"
expect_exit 0 vm-patch gate uninstall --hooks-dir "$host/etc/hooks"
expect_text "$ERR" 'is removed, but the audit trail does not have it'
expect_exit 0 virsh start web01
echo 'all done'
