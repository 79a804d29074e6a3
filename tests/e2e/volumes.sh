#!/usr/bin/env bash
# Machines that only an appliance can read: LVM with XFS as RHEL has it, btrfs with subvolumes and snapshots. They are
# inspected, scanned and patched like any other. And LUKS and NTFS, which no appliance opens. guestfish makes the disks.
set -euo pipefail  # without its variables nothing may run
. "$(dirname "$0")/../support/e2e.sh"
json() { python3 -c "import json,sys; d=json.load(open('$OUT')); print($1)"; }

trusted_author
debs=$(image debs mini-debian)
bundle_of demo "$WORK/demo.vmpatch" "$debs/demo-conf_2.0_all.deb"

title 'disks of the layouts that installers make'
python3 "$VMPATCH_SOURCE_DIR/tests/integration/guest_packages/make_rpm_databases.py" "$WORK/rpm" >"$WORK/rpm.log" 2>&1 || { cat "$WORK/rpm.log"; failed 'rpm databases'; }
root=$WORK/rocky
mkdir -p "$root"/{etc,boot,var/lib,usr/lib/sysimage,usr/bin,usr/lib/modules,proc,sys,dev,run,home}
ln -s usr/bin usr/lib "$root"
cp -r "$WORK/rpm/sqlite" "$root/usr/lib/sysimage/rpm"
ln -s ../../usr/lib/sysimage/rpm "$root/var/lib/rpm"
printf 'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\nPRETTY_NAME="Rocky Linux 9.4"\n' >"$root/etc/os-release"
printf '/dev/mapper/rl-root / xfs defaults 0 0\nLABEL=boot /boot ext4 defaults 0 0\n/dev/mapper/rl-var /var xfs nosuid 0 0\n/dev/mapper/rl-swap none swap defaults 0 0\n' >"$root/etc/fstab"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
tar -C "$root" -cf "$WORK/rocky.tar" .
truncate -s 2G "$WORK/lvm.raw"
truncate -s 900M "$WORK/btrfs.raw"
mini=$(image raw mini-debian)

cat >"$WORK/commands" <<GUESTFISH
add-drive $WORK/lvm.raw format:raw
add-drive $WORK/btrfs.raw format:raw
add-drive $mini format:raw readonly:true
run
part-init /dev/sda gpt
part-add /dev/sda p 2048 821247
part-add /dev/sda p 821248 4192255
mkfs ext4 /dev/sda1 label:boot
pvcreate /dev/sda2
vgcreate rl /dev/sda2
lvcreate root rl 320
lvcreate var rl 320
lvcreate swap rl 32
mkfs xfs /dev/rl/root
mkfs xfs /dev/rl/var
mkswap /dev/rl/swap
mount /dev/rl/root /
mkdir /boot
mount /dev/sda1 /boot
mkdir /var
mount /dev/rl/var /var
tar-in $WORK/rocky.tar /
write /boot/vmlinuz-5.14.0-427.13.1.el9_4.x86_64 kernel
write /boot/initramfs-5.14.0-427.13.1.el9_4.x86_64.img initramfs
umount-all

mkmountpoint /from
mkmountpoint /to
mkmountpoint /lv
mount-ro /dev/sdc /from

part-init /dev/sdb mbr
part-add /dev/sdb p 2048 1050623
part-add /dev/sdb p 1050624 1841151
mkfs btrfs /dev/sdb1 label:data
pvcreate /dev/sdb2
vgcreate vg /dev/sdb2
lvcreate var vg 320
mkfs xfs /dev/vg/var
mount /dev/sdb1 /to
btrfs-subvolume-create /to/@
btrfs-subvolume-create /to/@home
glob cp-a /from/* /to/@/
write /to/@home/of-a-user text
write /to/@/etc/fstab "LABEL=data / btrfs subvol=@ 0 0\nLABEL=data /home btrfs subvol=@home 0 0\n/dev/mapper/vg-var /var xfs defaults 0 2\n"
mount /dev/vg/var /lv
glob cp-a /from/var/* /lv/
rm-rf /to/@/var
mkdir /to/@/var
mkdir-p /to/.snapshots/1
btrfs-subvolume-snapshot /to/@ /to/.snapshots/1/snapshot ro:true
btrfs-subvolume-snapshot /to/@ /to/@before-upgrade
GUESTFISH

export LIBGUESTFS_BACKEND=direct
vm-patch doctor --json >"$WORK/doctor.json" || true
expect_text "$WORK/doctor.json" 'btrfs, XFS"'
! grep -q '"text": "TCG' "$WORK/doctor.json" || export LIBGUESTFS_BACKEND_SETTINGS=force_tcg
expect_exit 0 guestfish -f "$WORK/commands"

# partitioned FILE TABLE CONTENT: a disk with one partition that has this content.
partitioned() {
  truncate -s 130M "$1"
  sfdisk -q "$1" <<<"$2"
  dd if="$3" of="$1" bs=1M seek=2 conv=notrunc,sparse status=none
}
truncate -s 120M "$WORK/encrypted" "$WORK/windows"
printf 'a key' | cryptsetup -q luksFormat --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$WORK/encrypted" -
mkntfs -qF -p 2048 -S 63 -H 16 -s 512 "$WORK/windows" 2>"$WORK/mkntfs.log"
partitioned "$WORK/luks.raw" 'label: gpt
start=4096' "$WORK/encrypted"
partitioned "$WORK/ntfs.raw" 'label: dos
start=4096, type=7' "$WORK/windows"

title 'LVM with XFS and an rpm database'
expect_exit 0 vm-patch -v inspect -a "$WORK/lvm.raw" --format raw --packages
expect_text "$OUT" '^  system +Rocky Linux 9\.4 \(rocky 9\.4\)$'
expect_text "$OUT" '^  packages +[0-9]+ installed \(rpm\)$'
expect_text "$OUT" '5\.14\.0-427\.13\.1\.el9_4\.x86_64'
expect_text "$OUT" '^  read by +appliance.*; not read directly: .*LVM'
expect_exit 0 vm-patch inspect -a "$WORK/lvm.raw" --format raw --json
expect_same 'from the cache' True "$(json 'd["machines"][0]["cached"]')"
json '"\n".join(sorted(p["name"] + "|" + p["version"] + "|" + p["arch"] for p in d["machines"][0]["facts"]["packages"]))' >"$WORK/packages"
grep -v '^gpg-pubkey|' "$WORK/rpm/sqlite.txt" | cut -d'|' -f1-3 | LC_ALL=C sort >"$WORK/expected"
[ -s "$WORK/expected" ] || failed 'rpm lists nothing'
LC_ALL=C sort "$WORK/packages" | diff "$WORK/expected" - || failed 'packages differ from those that rpm lists'
expect_exit 0 vm-patch scan -a "$WORK/lvm.raw" --format raw --package beta
expect_text "$OUT" 'beta .*1:2\.0~rc1-3\.el9'

title 'a Debian on subvolumes of btrfs, beside snapshots of its root, with /var on LVM and XFS, is planned, patched, verified and rolled back'
disk=$WORK/btrfs.raw
before=$(digest_of "$disk")
expect_exit 3 vm-patch plan -a "$disk" --format raw -r "$WORK/demo.vmpatch"
expect_text "$OUT" 'demo-conf +1\.0 +-> +2\.0'
expect_same 'digest of a planned disk' "$before" "$(digest_of "$disk")"
expect_exit 0 vm-patch apply -a "$disk" --format raw -r "$WORK/demo.vmpatch" --yes
expect_text "$OUT" 'patched by demo version 1'
run=$(sed -n 's/.*vm-patch rollback \([0-9a-f-]*\).*/\1/p' "$OUT")
expect_exit 0 vm-patch verify -a "$disk" --format raw -r "$WORK/demo.vmpatch"
expect_exit 0 vm-patch -v inspect -a "$disk" --format raw --packages
expect_text "$OUT" 'demo-conf.*2\.0'
expect_text "$OUT" ' on / \(btrfs'
expect_text "$OUT" ' on /home \(btrfs'
expect_text "$OUT" ' on /var \(xfs'
expect_exit 0 vm-patch rollback "$run"
expect_same 'digest of a disk that was rolled back' "$before" "$(digest_of "$disk")"

title 'what is encrypted, and what is no Linux, is told as such'
expect_exit 4 vm-patch -v inspect -a "$WORK/luks.raw" --format raw
expect_no_text "$ERR" 'starting an appliance'
expect_text "$ERR" 'luks\.raw.*/dev/sda1 \(crypto_LUKS\): /dev/sda1 is encrypted'
expect_exit 4 vm-patch -v inspect -a "$WORK/ntfs.raw" --format raw
expect_no_text "$ERR" 'starting an appliance'
expect_text "$ERR" 'ntfs\.raw.*no operating system found.*ntfs'
expect_exit 1 vm-patch scan -a "$WORK/luks.raw" --format raw --package beta

