#include "guest/direct/signatures.hpp"

#include <algorithm>
#include <utility>

#include "guest/direct/utf16.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::guest::direct {
namespace {

using namespace std::string_view_literals;

// The farthest magic of the head is that of btrfs at 64 KiB + 64.
constexpr std::size_t head_size = (64U << 10U) + 4096;
constexpr std::uint32_t md_magic = 0xa92b4efc;

std::string text_of(std::string_view bytes) { return std::string(bytes.substr(0, bytes.find('\0'))); }

std::string trimmed_label(std::string_view bytes) {
  const auto end = bytes.find_last_not_of(' ');
  std::string label = end == std::string_view::npos ? std::string() : text_of(bytes.substr(0, end + 1));
  return label == "NO NAME" ? std::string() : label;
}

/// Its label, or more, is where only a reader of the file system finds it.
Signature with_unread_names(Signature found) {
  found.names_known = false;
  return found;
}

/// A serial number as FAT and exFAT have it.
std::string serial_at(std::string_view bytes, std::size_t at) {
  return fmt::format("{:04X}-{:04X}", read_le<std::uint16_t>(bytes, at + 2), read_le<std::uint16_t>(bytes, at));
}

bool has_md_magic(std::string_view bytes, std::size_t offset) {
  return read_le<std::uint32_t>(bytes, offset) == md_magic;
}

/// Superblock versions 1.0 and 0.90 of md are at the end (linux/raid/md_p.h).
Result<bool> has_md_at_end(std::uint64_t size, const ReadAt& read) {
  constexpr std::uint64_t reserved = 64U << 10U;
  if (size < 2 * reserved) return false;
  const std::uint64_t sectors = size / 512;
  for (const std::uint64_t offset : {((sectors - 16) & ~std::uint64_t{7}) * 512, (size & ~(reserved - 1)) - reserved}) {
    VMPATCH_TRY(const std::string bytes, read(offset, 512));
    if (has_md_magic(bytes, 0)) return true;
  }
  return false;
}

Signature recognise_boot_sector(std::string_view head) {
  if (has_magic(head, 3, "NTFS    ")) {
    return with_unread_names({"ntfs", fmt::format("{:016X}", read_le<std::uint64_t>(head, 72)), {}});
  }
  if (has_magic(head, 3, "-FVE-FS-")) return with_unread_names({"BitLocker", {}, {}});
  if (has_magic(head, 3, "EXFAT   ")) return with_unread_names({"exfat", serial_at(head, 100), {}});
  if (!has_magic(head, 510, "\x55\xaa")) return {};
  const auto fat = [&](std::size_t serial, std::size_t label) {
    Signature found{"vfat", serial_at(head, serial), trimmed_label(slice(head, label, 11))};
    // Some systems write the label into the root folder only.
    found.names_known = !found.label.empty();
    return found;
  };
  if (has_magic(head, 82, "FAT32   ")) return fat(67, 71);
  if (has_magic(head, 54, "FAT12   ") || has_magic(head, 54, "FAT16   ") || has_magic(head, 54, "FAT     "))
    return fat(39, 43);
  return {};
}

bool is_lvm(std::string_view head) {
  for (std::size_t sector = 0; sector < 4; ++sector) {
    if (has_magic(head, sector * 512, "LABELONE") && has_magic(head, sector * 512 + 24, "LVM2 001")) return true;
  }
  return false;
}

/// Dates of a volume descriptor are 16 digits and a time zone (ECMA-119, 8.4.26); blkid makes the UUID of them.
std::string iso_uuid(std::string_view head) {
  for (const std::size_t at : {32768U + 830U, 32768U + 813U}) {  // changed, made
    const std::string_view date = slice(head, at, 16);
    if (date.size() != 16 || date.find_first_not_of("0123456789") != std::string_view::npos) continue;
    if (date.find_first_not_of('0') == std::string_view::npos) continue;
    std::string text(date);
    for (const std::size_t dash : {14U, 12U, 10U, 8U, 6U, 4U}) text.insert(dash, 1, '-');
    return text;
  }
  return {};
}

/// By the kernel's headers: include/linux/f2fs_fs.h, fs/erofs/erofs_fs.h, fs/jfs/jfs_superblock.h, fs/reiserfs/reiserfs.h.
Signature recognise_other(std::string_view head) {
  const auto tags = [&](const char* type, std::size_t uuid, std::size_t label, std::size_t length) {
    return Signature{type, uuid_of(slice(head, uuid, 16)), text_of(slice(head, label, length))};
  };
  constexpr std::size_t jfs = 32768;
  constexpr std::size_t reiser = 65536;
  if (read_le<std::uint32_t>(head, 1024) == 0xf2f52010) {
    return {"f2fs", uuid_of(slice(head, 1024 + 108, 16)), utf8_of_utf16(slice(head, 1024 + 124, 1024))};
  }
  if (read_le<std::uint32_t>(head, 1024) == 0xe0f5e1e2) return tags("erofs", 1024 + 48, 1024 + 64, 16);
  if (has_magic(head, 0, "hsqs")) return {"squashfs", {}, {}};
  // A second descriptor may have another label.
  if (has_magic(head, 32769, "CD001")) return with_unread_names({"iso9660", iso_uuid(head), trimmed_label(slice(head, 32808, 32))});
  if (has_magic(head, jfs, "JFS1")) return tags("jfs", jfs + 136, jfs + 152, 16);
  if (has_magic(head, reiser + 52, "ReIsErFs")) return {"reiserfs", {}, {}};  // the older format has no names
  if (has_magic(head, reiser + 52, "ReIsEr")) return tags("reiserfs", reiser + 84, reiser + 100, 16);
  return {};
}

Signature recognise_head(std::string_view head) {
  if (has_magic(head, 0, "LUKS\xba\xbe"sv)) return {"crypto_LUKS", text_of(slice(head, 168, 40)), {}};
  if (is_lvm(head)) return with_unread_names({"LVM2_member", {}, {}});
  if (has_md_magic(head, 0) || has_md_magic(head, 4096)) return with_unread_names({"linux_raid_member", {}, {}});
  if (has_magic(head, 0, "XFSB")) return {"xfs", uuid_of(slice(head, 32, 16)), text_of(slice(head, 108, 12))};
  constexpr std::size_t btrfs = 64U << 10U;
  if (has_magic(head, btrfs + 64, "_BHRfS_M")) {
    return {"btrfs", uuid_of(slice(head, btrfs + 32, 16)), text_of(slice(head, btrfs + 0x12b, 256))};
  }
  if (Signature swap = recognise_swap(head); !swap.type.empty()) return swap;
  if (Signature ext = recognise_ext(slice(head, 1024, 1024)); !ext.type.empty()) return ext;
  if (Signature other = recognise_other(head); !other.type.empty()) return other;
  return recognise_boot_sector(head);
}

}  // namespace

std::string uuid_of(std::string_view bytes) {
  if (bytes.size() < 16 || bytes.find_first_not_of('\0') == std::string_view::npos) return {};
  std::string text;
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", static_cast<unsigned char>(bytes[i]));
  }
  return text;
}

Result<Signature> recognise(std::uint64_t size, const ReadAt& read) {
  VMPATCH_TRY(const std::string head, read(0, static_cast<std::size_t>(std::min<std::uint64_t>(size, head_size))));
  Signature found = recognise_head(head);
  // One half of a mirror looks like the file system in it.
  VMPATCH_TRY(const bool md, has_md_at_end(size, read));
  if (md) return with_unread_names({"linux_raid_member", {}, {}});
  return found;
}

Signature recognise_swap(std::string_view head) {
  for (const std::size_t page : {4096U, 8192U, 16384U, 32768U, 65536U}) {
    const std::string_view magic = slice(head, page - 10, 10);
    const auto swap = [&](const char* type) {
      return Signature{type, uuid_of(slice(head, 1036, 16)), text_of(slice(head, 1052, 16))};
    };
    if (magic == "SWAPSPACE2" || magic == "SWAP-SPACE") return swap("swap");
    for (const std::string_view suspended : {"S1SUSPEND\0"sv, "S2SUSPEND\0"sv, "ULSUSPEND\0"sv, "LINHIB0001"sv}) {
      if (magic == suspended) return swap("swsuspend");
    }
  }
  return {};
}

}  // namespace vmpatch::guest::direct
