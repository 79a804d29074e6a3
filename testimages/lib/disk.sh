# shellcheck shell=bash
# Disks from folders, without loop devices, mounts or device-mapper. Sourced.

# shellcheck disable=SC2034  # for those who source this
part_start_mib=2 # the first MiB is the partition table, the second the BIOS boot partition

# ext4_options: features that GRUB 2.06 and every kernel of the guests know.
ext4_options() { echo '-q -F -t ext4 -b 4096 -O ^orphan_file,^metadata_csum_seed -E lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0'; }

# make_ext4 TREE FILE SIZE_MIB UUID [LABEL]: a whole-disk ext4.
make_ext4() {
  truncate -s "${3}M" "$2"
  # shellcheck disable=SC2046
  mke2fs $(ext4_options) -U "$4" -L "${5:-root}" -d "$1" "$2" "${3}M"
}

# make_gpt FILE SIZE_MIB SFDISK-LINE …: a GPT disk with a BIOS boot partition and the given partitions after it.
make_gpt() {
  local file=$1 size=$2
  shift 2
  truncate -s "${size}M" "$file"
  {
    echo 'label: gpt'
    echo 'start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, name=bios'
    printf '%s\n' "$@"
  } | sfdisk -q --no-reread --no-tell-kernel "$file"
}

# make_ext4_at TREE FILE START_MIB SIZE_MIB UUID [LABEL]: an ext4 inside FILE.
make_ext4_at() {
  # shellcheck disable=SC2046
  mke2fs $(ext4_options),offset=$(($3 * 1024 * 1024)) -U "$5" -L "${6:-root}" -d "$1" "$2" "${4}M"
}

# install_grub TREE DISK: makes DISK boot by BIOS from its second partition, with the GRUB that TREE has installed.
# The core image goes to the BIOS boot partition (sector 2048). boot.img holds the core's sector at 0x5c and a drive
# check at 0x66 that hard disks do without; the core's first sector holds the list of its other sectors at 0x1f4.
# (GRUB manual, "Images"; grub-core/boot/i386/pc/{boot,diskboot}.S)
install_grub() {
  chroot "$1" grub-mkimage -O i386-pc -p '(,gpt2)/boot/grub' -o /tmp/core.img \
    biosdisk part_gpt ext2 normal configfile linux search search_fs_uuid serial terminal echo test ls gzio all_video
  mkdir -p "$1/boot/grub"
  cp -r "$1/usr/lib/grub/i386-pc" "$1/boot/grub/"
  python3 - "$1/usr/lib/grub/i386-pc/boot.img" "$1/tmp/core.img" "$2" <<'PYTHON'
import struct
import sys

boot, core = (bytearray(open(name, "rb").read()) for name in sys.argv[1:3])
first = 2048
sectors = (len(core) + 511) // 512
assert sectors <= 2048, "core image larger than its partition"
struct.pack_into("<Q", boot, 0x5C, first)
boot[0x66:0x68] = b"\x90\x90"
struct.pack_into("<QHH", core, 0x1F4, first + 1, sectors - 1, 0x820)
with open(sys.argv[3], "r+b") as disk:
    disk.write(boot[:440])
    disk.seek(first * 512)
    disk.write(core)
PYTHON
  rm "$1/tmp/core.img"
}
