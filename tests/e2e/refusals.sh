#!/usr/bin/env bash
# A machine that is not fit to be patched is refused with exit code 4, a reason and a remedy, and its image stays as it is.
set -euo pipefail  # without its variables nothing may run
. "$(dirname "$0")/../support/e2e.sh"

# The private libvirtd keeps sockets here, so the path must be short.
host=$(mktemp -d /var/tmp/vpl.XXXXXX)
at_end+=('rm -rf --one-file-system "$host"')
libvirtd() { "$VMPATCH_SOURCE_DIR/tests/support/private-libvirtd.sh" "$1" "$host" "${@:2}"; }
at_end=('libvirtd stop' "${at_end[@]}")
uri=$(libvirtd start)
virsh() { command virsh -q -c "$uri" "$@"; }
connect=$uri inside=()
vm-patch() { "${inside[@]}" "$VMPATCH" --state-dir "$WORK/state" --config "$WORK/vm-patch.yaml" -c "$connect" "$@"; }
# In the namespace of that libvirtd, where its folders are those of qemu:///system.
go_inside() { connect=qemu:///system inside=("$VMPATCH_SOURCE_DIR/tests/support/private-libvirtd.sh" exec "$host"); }
go_outside() { connect=$uri inside=(); }

images=$WORK/images
mkdir "$images"
trusted_author
debs=$(image debs mini-debian)
bundle_of demo "$WORK/demo.vmpatch" "$debs/demo-conf_2.0_all.deb"

# fresh NAME KEY FORMAT: a copy of a test guest in a folder of its own; sets $disk.
fresh() {
  mkdir -p "$images/$1"
  disk=$images/$1/disk.$3
  copy "$(image "$2" mini-debian)" "$disk"
}
# define NAME: a machine of that name on $disk, which is given by the lines on standard input.
define() {
  cat >"$WORK/$1.xml" <<XML
<domain type='qemu'><name>$1</name><memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>$(cat)</devices></domain>
XML
  virsh define "$WORK/$1.xml" >"$OUT"
}
simple_disk() { echo "<disk type='file'><driver name='qemu' type='$1'/><source file='$disk'/><target dev='vda' bus='virtio'/></disk>"; }

# refused FILE REGEX OPTION …: plan and apply refuse the machine that the options name, and FILE stays as it is.
refused() {
  local file=$1 regex=$2 before
  shift 2
  before=$(digest_of "$file")
  expect_exit 4 vm-patch plan "$@" -r "$WORK/demo.vmpatch"
  cat "$OUT" "$ERR" >"$WORK/said"
  expect_text "$WORK/said" "$regex"
  expect_exit 4 vm-patch apply "$@" -r "$WORK/demo.vmpatch" --yes
  expect_text "$ERR" "$regex"
  expect_same "digest of $file" "$before" "$(digest_of "$file")"
}
bare() { refused "$disk" "$1" -a "$disk" --format "$2" "${@:3}"; }

title 'the guest itself is fit, so that what follows is refused for its own reason alone'
fresh good qcow2 qcow2
expect_exit 3 vm-patch plan -a "$disk" --format qcow2 -r "$WORK/demo.vmpatch"
expect_text "$OUT" 'demo-conf +1\.0 +-> +2\.0'

title 'a running machine is refused, by its name and by its image'
fresh live qcow2 qcow2
simple_disk qcow2 | define live
virsh start live
refused "$disk" 'live is running; shut it down first' -d live
bare 'shares a disk with live; name that machine with -d instead' qcow2

title 'a paused machine is refused'
virsh suspend live
refused "$disk" 'live is paused, .*resume it and shut it down' -d live

title 'a machine with saved memory is refused'
virsh resume live
virsh managedsave live
refused "$disk" 'live has saved memory .*virsh managedsave-remove' -d live
virsh managedsave-remove live
go_inside
refused "$disk" 'live has memory that was saved to a file .*vm-patch gate forget-save -d live' -d live

title 'a machine with memory in a file is refused, also when libvirtd has forgotten it, until it ran again'
go_outside
virsh start live
virsh save live "$WORK/live.memory"
refused "$disk" 'live has memory that was saved to a file .*virsh restore FILE and shut it down' -d live
expect_exit 0 vm-patch inventory --state saved --json
expect_text "$OUT" '"managed_save": false'
expect_text "$OUT" '"told_by": "libvirt"'
libvirtd restart
expect_same 'what libvirt knows' 'shut off (unknown)' "$(virsh domstate --reason live)"
go_inside
refused "$disk" "live has memory that was saved to a file at .* \(says libvirt's log\)" -d live
virsh restore "$WORK/live.memory"
virsh destroy live
expect_exit 3 vm-patch plan -d live -r "$WORK/demo.vmpatch"

title 'an image with a machine that has saved memory is refused also while libvirtd is down'
virsh start live
virsh managedsave live
bare 'shares a disk with live; name that machine with -d instead' qcow2
libvirtd halt
bare 'is disk vda of live, whose memory is saved .*live.save says so; qemu:///system does not answer: .*; start that libvirt, and name the machine with -d live' qcow2
bare 'is disk vda of live, whose memory is saved' qcow2 --without-libvirt
expect_exit 4 vm-patch verify -a "$disk" --format qcow2 -r "$WORK/demo.vmpatch"
expect_text "$ERR" 'is disk vda of live, whose memory is saved'
refused "$disk" 'is disk vda of live, whose memory is saved' --folder "$images/live"

title 'an image that no machine names is not known while libvirtd is down, unless the operator says so; reading goes on with a warning'
live=$disk
fresh loose qcow2 qcow2
bare 'may be a machine.s, or memory that was saved to a file may belong to it: qemu:///system does not answer .* has machines; .*--without-libvirt' qcow2
expect_exit 3 vm-patch plan -a "$disk" --format qcow2 -r "$WORK/demo.vmpatch" --without-libvirt
expect_text "$ERR" 'qemu:///system: not reachable: .*machines that are not defined in its folders, and memory that was saved to a file, are not known'
expect_exit 0 vm-patch inspect -a "$disk" --format qcow2
expect_text "$ERR" 'qemu:///system: not reachable: .*only those are known that its folders name'
go_outside
bare 'where qemu.unix:///system.socket=.* keeps its machines is not known' qcow2
go_inside
connect=qemu+ssh://another.example/system bare 'may be a machine.s, .*qemu:///system does not answer' qcow2

title 'a host on which libvirt has no machine needs no option, whether it runs or not'
mkdir "$WORK/aside" "$WORK/aside/etc" "$WORK/aside/save"
mv "$host"/etc/qemu/*.xml "$WORK/aside/etc"
mv "$host"/lib/qemu/save/*.save "$WORK/aside/save"
expect_exit 3 vm-patch plan -a "$disk" --format qcow2 -r "$WORK/demo.vmpatch"
expect_no_text "$ERR" .
mv "$WORK/aside/etc"/* "$host/etc/qemu"
mv "$WORK/aside/save"/* "$host/lib/qemu/save"
libvirtd restart
go_outside
expect_exit 3 vm-patch plan -a "$disk" --format qcow2 -r "$WORK/demo.vmpatch"
disk=$live
virsh start --force-boot live
virsh destroy live
expect_exit 3 vm-patch plan -d live -r "$WORK/demo.vmpatch"

title 'a disk that two machines share is refused'
simple_disk qcow2 | define twin
refused "$disk" 'live shares a disk with twin; give each machine its own image' -d live
virsh undefine twin

title 'an image with children is refused, also where no machine names the child; a machine of libvirt on it would be published anew'
fresh base qcow2 qcow2
qemu-img create -q -f qcow2 -F qcow2 -b "$disk" "$images/base/child.qcow2"
bare 'is the backing file of .*/child.qcow2, .*define a machine of libvirt on it' qcow2
simple_disk qcow2 | define base
expect_exit 3 vm-patch plan -d base -r "$WORK/demo.vmpatch"
expect_text "$OUT" 'its images are not written, as .*/child.qcow2 stands on them: the patched form becomes a new version'

title 'an image that may be a clone is refused for its base too, until somebody says what it is'
fresh doubted qcow2 qcow2
rm -f "$images/doubted/clone"*
qemu-img create -q -f qcow2 -F qcow2 -b "$disk" "$images/doubted/clone.img"
bare 'may be the backing file of .*/doubted/clone.img: the first bytes say so, .*--not-a-clone FILE' qcow2
expect_exit 3 vm-patch plan -a "$disk" --format qcow2 -r "$WORK/demo.vmpatch" --not-a-clone "$images/doubted/clone.img"
printf 'schema: vm-patch/config/v1\nnot_clones: [%s]\n' "$images/doubted/clone.img" >"$WORK/vm-patch.yaml"
expect_exit 3 vm-patch plan -a "$disk" --format qcow2 -r "$WORK/demo.vmpatch"
: >"$WORK/vm-patch.yaml"
base=$disk disk=$images/doubted/clone.img
simple_disk raw | define doubted
expect_exit 3 vm-patch plan -a "$base" --format qcow2 -r "$WORK/demo.vmpatch"
virsh undefine doubted
simple_disk qcow2 | define doubted
disk=$base
bare 'is the backing file of doubted, which a write would corrupt' qcow2 --not-a-clone "$images/doubted/clone.img"
virsh undefine doubted

title 'a machine whose chain goes on outside of the allowed folders may stand on any image'
mkdir "$WORK/outside"
qemu-img create -q -f qcow2 -F qcow2 -b "$base" "$WORK/outside/middle.qcow2"
qemu-img create -q -f qcow2 -F qcow2 -b "$WORK/outside/middle.qcow2" "$images/good/top.qcow2"
rm "$images/doubted/clone.img"
disk=$images/good/top.qcow2
simple_disk qcow2 | define far
disk=$base
bare "disk vda of far stands on $WORK/outside/middle.qcow2, which is not opened because it lies outside of the allowed folders .*--allow-backing" qcow2
bare 'is the backing file of far' qcow2 --allow-backing "$WORK/outside"
expect_exit 3 vm-patch plan -a "$disk" --format qcow2 -r "$WORK/demo.vmpatch" --not-a-clone "$images/good/top.qcow2"
virsh undefine far

title 'an image that a running QEMU writes is refused although no machine names it'
fresh held raw raw
qemu-storage-daemon --daemonize --pidfile "$WORK/qsd.pid" --blockdev "driver=file,node-name=f,filename=$disk,locking=on" \
  --nbd-server "addr.type=unix,addr.path=$WORK/nbd.sock" --export type=nbd,id=e,node-name=f,writable=on
bare 'is being written by a running QEMU; shut that machine down first' raw
kill "$(cat "$WORK/qsd.pid")"

title 'a disk without a format in the XML is refused where libvirt leaves it so'
fresh unsaid qcow2 qcow2
cat >"$WORK/node.xml" <<XML
<node xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><domain type='test'><name>unsaid</name>
<memory>65536</memory><os><type>hvm</type></os><devices>
<disk type='file'><driver name='qemu'/><source file='$disk'/><target dev='vda'/></disk></devices>
<test:runstate>5</test:runstate></domain></node>
XML
refused "$disk" 'disk vda of unsaid has no format in its XML, .* add <driver name=.qemu. type=.qcow2./>' \
  -c "test://$WORK/node.xml" -d unsaid

title 'where libvirt calls a disk without a format raw, it is raw, whatever its first bytes say'
define unsaid <<XML
<disk type='file'><driver name='qemu'/><source file='$disk'/><target dev='vda' bus='virtio'/></disk>
XML
virsh dumpxml --inactive unsaid >"$WORK/unsaid.xml"
expect_text "$WORK/unsaid.xml" "<driver name='qemu' type='raw'/>"
refused "$disk" 'no operating system .*' -d unsaid

title 'a format that vm-patch does not support is refused'
fresh vmdk raw vmdk
simple_disk vmdk | define vmdk
refused "$disk" 'disk vda of vmdk: image format vmdk is not supported .*convert it with qemu-img convert' -d vmdk

title 'a qcow2 image that is called one but is raw is refused'
bare 'not a qcow2 image; name its real format' qcow2

title 'qcow2 with an external data file is refused'
fresh data qcow2 qcow2
rm "$disk"
qemu-img create -q -f qcow2 -o "data_file=$images/data/disk.raw,data_file_raw=on" "$disk" 8M
bare 'external data file is not allowed; convert it with qemu-img convert' qcow2
simple_disk qcow2 | define data
refused "$disk" 'disk vda of data: .*external data file is not allowed' -d data

title 'a json: backing name is refused'
fresh json qcow2 qcow2
mv "$disk" "$images/json/base.qcow2"
qemu-img create -q -f qcow2 -F qcow2 -u -b "json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"$images/json/base.qcow2\"}}" "$disk" 96M
bare 'backing name json:.* is not a plain path .*flatten the image with qemu-img convert' qcow2
simple_disk qcow2 | define json
refused "$disk" 'disk vda of json: .*is not a plain path' -d json

title 'a backing file outside of the allowed folders is refused, and accepted with --allow-backing'
fresh foreign qcow2 qcow2
mkdir "$WORK/elsewhere"
mv "$disk" "$WORK/elsewhere/base.qcow2"
qemu-img create -q -f qcow2 -F qcow2 -b "$WORK/elsewhere/base.qcow2" "$disk"
bare "backing file $WORK/elsewhere/base.qcow2 outside the allowed folders; allow its folder with --allow-backing" qcow2
expect_exit 3 vm-patch plan -a "$disk" --format qcow2 --allow-backing "$WORK/elsewhere" -r "$WORK/demo.vmpatch"
simple_disk qcow2 | define foreign
refused "$disk" 'disk vda of foreign: .*outside the allowed folders' -d foreign
expect_exit 3 vm-patch plan -d foreign --allow-backing "$WORK/elsewhere" -r "$WORK/demo.vmpatch"

title 'a backing file without its format is refused'
cp --sparse=always "$WORK/elsewhere/base.qcow2" "$images/foreign/base.qcow2"
rm "$disk"
qemu-img create -q -f qcow2 -F qcow2 -b base.qcow2 "$images/foreign/disk.qcow2"
python3 - "$disk" <<'PYTHON'
import sys
with open(sys.argv[1], "r+b") as image:  # the extension 0xE2792ACA becomes one that QEMU skips
    head = image.read(512)
    image.seek(head.index(b"\xe2\x79\x2a\xca"))
    image.write(b"\x12\x34\x56\x78")
PYTHON
bare 'names backing file base.qcow2 without its format; record it with qemu-img rebase' qcow2

title 'an unknown incompatible feature bit is refused'
fresh bit qcow2 qcow2
printf '\x40' | dd of="$disk" bs=1 seek=79 conv=notrunc status=none
bare 'incompatible feature bits 0x40 are not known; convert it with qemu-img convert' qcow2

title 'a symbolic link in place of the image is refused'
ln -s "$images/good/disk.qcow2" "$images/good-link.qcow2"
expect_exit 4 vm-patch plan -a "$images/good-link.qcow2" --format qcow2 -r "$WORK/demo.vmpatch"
cat "$OUT" "$ERR" >"$WORK/said"
expect_text "$WORK/said" 'good-link.qcow2 is a symlink to .*; name the file itself'

title 'a guest with two systems is refused: nothing tells which one boots'
fresh two two_os raw
bare '2 operating systems found .*give the other a machine of its own' raw

title 'a disk without an operating system is refused'
fresh none no_os raw
bare 'no operating system found .*check that it is the machine.s system disk' raw

title 'a guest whose dpkg stopped half-way is refused'
fresh half half_configured raw
bare 'demo-conf.*dpkg --configure' raw

title 'a hibernated guest is refused'
fresh hibernated hibernated raw
bare 'hibernated' raw

title 'too little space for the overlay is refused before anything is made'
small=$WORK/small
mkdir "$small"
mount -t tmpfs -o size=24m none "$small"
at_end=('umount "$small"' "${at_end[@]}")
printf 'schema: vm-patch/config/v1\nspace_reserve: 0\n' >"$WORK/vm-patch.yaml"
disk=$images/good/disk.qcow2
before=$(digest_of "$disk")
expect_exit 4 "$VMPATCH" --state-dir "$small/state" --config "$WORK/vm-patch.yaml" --trust-file "$WORK/state/trust.yaml" \
  apply -a "$disk" --format qcow2 -r "$WORK/demo.vmpatch" --yes
expect_text "$ERR" 'are free for the overlay in .*, .* are needed .*; make room or use another --state-dir'
expect_same "digest of $disk" "$before" "$(digest_of "$disk")"
[ -z "$(find "$small/state" -name '*.qcow2')" ] || failed 'an overlay was made'

title 'a disk that only the appliance can read goes there, and is refused for what it then is'
fresh lvm lvm raw
before=$(digest_of "$disk")
expect_exit 4 vm-patch plan -a "$disk" --format raw -r "$WORK/demo.vmpatch"
cat "$OUT" "$ERR" >"$WORK/said"
expect_text "$WORK/said" 'no operating system'
expect_same "digest of $disk" "$before" "$(digest_of "$disk")"

title 'one image that cannot be verified does not end the verification of the others, and is named in JSON'
fresh good qcow2 qcow2
good=$disk
head -c 70000 "$good" >"$WORK/truncated.qcow2"
expect_exit 4 vm-patch verify -a "$WORK/truncated.qcow2" -a "$good" --format qcow2 -r "$WORK/demo.vmpatch" --json
python3 - "$OUT" <<'PYTHON'
import json, sys
broken, good = json.load(open(sys.argv[1]))["machines"]
assert broken["error"]["code"] == "refused" and "outside the file" in broken["error"]["message"], broken
assert good["holds"] is False and good["unmet"], good
PYTHON

title 'nothing was recorded as done, and nothing is left over'
expect_exit 0 vm-patch recover
expect_exit 0 vm-patch history
expect_no_text "$OUT" 'attested|committ'
[ -z "$(find "$WORK/state/runs" "$WORK/state/undo" -mindepth 1 2>/dev/null)" ] || failed 'work or undo folders are left over'
