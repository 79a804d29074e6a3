#pragma once
// Partition tables from bytes, pure: GPT (UEFI specification 2.10, chapter 5) and MBR with logical partitions.
// Every table is hostile input: sizes, counts and chains are bounded, GPT checksums must hold.

#include <cstdint>
#include <string>
#include <vector>

#include "guest/direct/bytes.hpp"

namespace vmpatch::guest::direct {

struct Partition {
  unsigned number = 0;       ///< as the kernel counts: logical partitions from 5
  std::uint64_t offset = 0;  ///< bytes
  std::uint64_t length = 0;  ///< bytes, inside the disk
  std::string part_uuid;     ///< as PARTUUID= in fstab, lower case
  std::string part_label;    ///< as PARTLABEL= in fstab; GPT only
};

struct PartitionTable {
  enum class Kind { none, mbr, gpt };
  Kind kind = Kind::none;
  std::uint32_t sector_size = 512;
  std::vector<Partition> partitions;  ///< by number
};

/// GPT tells its sector size (512 or 4096) by where its header is; MBR counts in `mbr_sector_size`. A GPT whose first
/// copy is broken is read from the copy at the end. `none` when there is no table. Errors: failed (both copies of a GPT
/// are broken, a logical chain that loops or leaves the disk, a partition that begins behind the end of the disk), and
/// what `read` returns.
Result<PartitionTable> read_partitions(std::uint64_t disk_size, const ReadAt& read,
                                       std::uint32_t mbr_sector_size = 512);

/// CRC-32 of ISO 3309 as GPT uses it.
[[nodiscard]] std::uint32_t crc32(std::string_view bytes);

}  // namespace vmpatch::guest::direct
