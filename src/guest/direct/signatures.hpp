#pragma once
// What lies on a disk or partition, told by its magic bytes: pure. Type names are those of blkid.

#include <cstdint>
#include <string>

#include "guest/direct/bytes.hpp"

namespace vmpatch::guest::direct {

struct Signature {
  std::string
      type;  ///< ext2, ext3, ext4, swap, swsuspend (a hibernated system), LVM2_member, crypto_LUKS, xfs, … "" = unknown
  std::string uuid;  ///< as UUID= in fstab
  std::string label;
  bool names_known = true;  ///< false: it may have a UUID or label that is not read here

  [[nodiscard]] bool is_ext() const { return type == "ext2" || type == "ext3" || type == "ext4"; }
  /// An appliance may find an operating system in it that is not seen here. It has no keys, and looks for none on NTFS and others.
  [[nodiscard]] bool may_hide_root() const { return type == "xfs" || type == "btrfs" || is_container(); }
  /// Assembled by an appliance from its parts.
  [[nodiscard]] bool is_container() const { return type == "LVM2_member" || type == "linux_raid_member"; }
};

/// Errors: only what `read` returns.
Result<Signature> recognise(std::uint64_t size, const ReadAt& read);

/// Swap area from its first page(s): type "swap", "swsuspend" or "".
[[nodiscard]] Signature recognise_swap(std::string_view head);

/// Signature of the superblock at byte 1024; type "" when it is none.
[[nodiscard]] Signature recognise_ext(std::string_view superblock);

/// 16 bytes as people write them; "" when all are zero or some are missing.
[[nodiscard]] std::string uuid_of(std::string_view bytes);

/// Whether the file system behind an ext superblock (1024 bytes) can be read safely as it is. `size` is of what holds
/// it. Errors: unsupported (journal needs recovery, unknown feature); failed (larger than what holds it, absurd
/// geometry).
Result<void> check_ext_superblock(std::string_view superblock, std::uint64_t size);

}  // namespace vmpatch::guest::direct
