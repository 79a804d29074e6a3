#include "guest/direct/partitions.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "guest/direct/utf16.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::guest::direct {
namespace {

constexpr std::size_t mbr_size = 512;
constexpr std::size_t gpt_header_size = 92;
constexpr std::uint32_t max_gpt_entries = 4096;
constexpr std::uint32_t max_gpt_entry_size = 4096;
constexpr std::uint64_t max_gpt_table = 1U << 20U;
constexpr std::size_t max_logical = 128;
constexpr std::uint8_t gpt_protective = 0xee;

struct MbrEntry {
  std::uint8_t boot = 0, type = 0;
  std::uint32_t first = 0, count = 0;

  [[nodiscard]] bool used() const { return type != 0 && count != 0; }
  [[nodiscard]] bool extended() const { return type == 0x05 || type == 0x0f || type == 0x85; }
};

MbrEntry mbr_entry(std::string_view sector, std::size_t index) {
  const std::size_t at = 446 + 16 * index;
  return {read_le<std::uint8_t>(sector, at), read_le<std::uint8_t>(sector, at + 4),
          read_le<std::uint32_t>(sector, at + 8), read_le<std::uint32_t>(sector, at + 12)};
}

bool has_boot_signature(std::string_view sector) { return has_magic(sector, 510, "\x55\xaa"); }

/// A partition of `count` sectors from `first`, cut at the end of the disk as the kernel does.
Result<Partition> place(unsigned number, std::uint64_t first, std::uint64_t count, std::uint32_t sector_size,
                        std::uint64_t disk_size) {
  const std::uint64_t sectors = disk_size / sector_size;
  if (first >= sectors) {
    return fail(Errc::failed, "partition {} begins at sector {}, but the disk has {}; the disk may be cut off", number,
                first, sectors);
  }
  return Partition{number, first * sector_size, std::min(count, sectors - first) * sector_size, {}, {}};
}

std::string guid(std::string_view bytes, std::size_t at) {
  std::string text = fmt::format("{:08x}-{:04x}-{:04x}-", read_le<std::uint32_t>(bytes, at),
                                 read_le<std::uint16_t>(bytes, at + 4), read_le<std::uint16_t>(bytes, at + 6));
  for (std::size_t i = 8; i < 16; ++i) {
    if (i == 10) text += '-';
    text += fmt::format("{:02x}", read_le<std::uint8_t>(bytes, at + i));
  }
  return text;
}

/// The copy of a GPT whose header is in sector `lba`; nullopt when it is not there or does not hold.
Result<std::optional<PartitionTable>> read_gpt(std::uint64_t disk_size, const ReadAt& read, std::uint32_t sector_size,
                                               std::uint64_t lba) {
  const std::optional<PartitionTable> none;
  const std::uint64_t sectors = disk_size / sector_size;
  if (lba >= sectors) return none;
  VMPATCH_TRY(std::string header, read(lba * sector_size, sector_size));
  const auto header_size = read_le<std::uint32_t>(header, 12);
  if (!has_magic(header, 0, "EFI PART") || header_size < gpt_header_size || header_size > sector_size) return none;
  const auto expected = read_le<std::uint32_t>(header, 16);
  std::fill_n(header.begin() + 16, 4, '\0');
  if (crc32(slice(header, 0, header_size)) != expected || read_le<std::uint64_t>(header, 24) != lba) return none;

  const auto table_lba = read_le<std::uint64_t>(header, 72);
  const auto count = read_le<std::uint32_t>(header, 80);
  const auto entry_size = read_le<std::uint32_t>(header, 84);
  if (count > max_gpt_entries || entry_size < 128 || entry_size > max_gpt_entry_size || entry_size % 8 != 0)
    return none;
  const std::uint64_t table_size = std::uint64_t{count} * entry_size;
  if (table_size > max_gpt_table || table_lba >= sectors || table_size > disk_size - table_lba * sector_size)
    return none;
  VMPATCH_TRY(const std::string table, read(table_lba * sector_size, static_cast<std::size_t>(table_size)));
  if (crc32(table) != read_le<std::uint32_t>(header, 88)) return none;

  PartitionTable result{PartitionTable::Kind::gpt, sector_size, {}};
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string_view entry = slice(table, std::size_t{i} * entry_size, entry_size);
    if (entry.substr(0, 16).find_first_not_of('\0') == std::string_view::npos) continue;
    const auto first = read_le<std::uint64_t>(entry, 32);
    const auto last = read_le<std::uint64_t>(entry, 40);
    if (last < first || last - first == UINT64_MAX) continue;
    VMPATCH_TRY(Partition partition, place(i + 1, first, last - first + 1, sector_size, disk_size));
    partition.part_uuid = guid(entry, 16);
    partition.part_label = utf8_of_utf16(slice(entry, 56, 72));
    result.partitions.push_back(std::move(partition));
  }
  return std::optional(std::move(result));
}

Result<PartitionTable> find_gpt(std::uint64_t disk_size, const ReadAt& read) {
  for (const bool copy : {false, true}) {
    for (const std::uint32_t sector_size : {512U, 4096U}) {
      if (disk_size / sector_size < 2) continue;
      const std::uint64_t lba = copy ? disk_size / sector_size - 1 : 1;
      VMPATCH_TRY(auto table, read_gpt(disk_size, read, sector_size, lba));
      if (table) return std::move(*table);
    }
  }
  return fail(Errc::failed, "the disk says that it has a GPT, but neither copy of it is intact; repair it with sgdisk");
}

/// Logical partitions: a chain of sectors, each with one partition (relative to itself) and a link to the next one
/// (relative to the extended partition).
Result<void> read_logical(const MbrEntry& extended, std::uint32_t disk_id, std::uint64_t disk_size, const ReadAt& read,
                          PartitionTable& table, unsigned& number) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t at = extended.first;;) {
    if (seen.size() == max_logical || !seen.insert(at).second) {
      return fail(Errc::failed, "the chain of logical partitions loops or has more than {} links", max_logical);
    }
    if (at >= disk_size / table.sector_size) {
      return fail(Errc::failed, "the chain of logical partitions leaves the disk; the disk may be cut off");
    }
    VMPATCH_TRY(const std::string sector, read(at * table.sector_size, mbr_size));
    if (!has_boot_signature(sector)) return {};
    std::optional<std::uint64_t> next;
    for (std::size_t i = 0; i < 4; ++i) {
      const MbrEntry entry = mbr_entry(sector, i);
      if (!entry.used()) continue;
      if (entry.extended()) {
        if (!next) next = std::uint64_t{extended.first} + entry.first;
        continue;
      }
      VMPATCH_TRY(Partition partition, place(number, at + entry.first, entry.count, table.sector_size, disk_size));
      partition.part_uuid = fmt::format("{:08x}-{:02x}", disk_id, number);
      table.partitions.push_back(std::move(partition));
      ++number;
    }
    if (!next) return {};
    at = *next;
  }
}

Result<PartitionTable> read_mbr(std::string_view sector, std::uint64_t disk_size, const ReadAt& read,
                                std::uint32_t sector_size) {
  PartitionTable table{PartitionTable::Kind::mbr, sector_size, {}};
  const auto disk_id = read_le<std::uint32_t>(sector, 440);
  std::vector<MbrEntry> extended;
  for (unsigned i = 0; i < 4; ++i) {
    const MbrEntry entry = mbr_entry(sector, i);
    if (!entry.used()) continue;
    if (entry.extended()) {
      extended.push_back(entry);
      continue;
    }
    VMPATCH_TRY(Partition partition, place(i + 1, entry.first, entry.count, sector_size, disk_size));
    partition.part_uuid = fmt::format("{:08x}-{:02x}", disk_id, i + 1);
    table.partitions.push_back(std::move(partition));
  }
  unsigned number = 5;
  for (const MbrEntry& entry : extended) VMPATCH_CHECK(read_logical(entry, disk_id, disk_size, read, table, number));
  return table;
}

/// A boot sector of a file system ends like an MBR does; its code rarely looks like four sane entries.
bool is_sane_mbr(std::string_view sector) {
  bool any = false;
  for (std::size_t i = 0; i < 4; ++i) {
    const MbrEntry entry = mbr_entry(sector, i);
    if (entry.boot != 0 && entry.boot != 0x80) return false;
    if (entry.used() && entry.first == 0) return false;
    any = any || entry.used();
  }
  return any;
}

}  // namespace

std::uint32_t crc32(std::string_view bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> values{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1U) ^ ((value & 1U) != 0 ? 0xedb88320U : 0U);
      values[i] = value;
    }
    return values;
  }();
  std::uint32_t crc = ~0U;
  for (const char c : bytes) crc = (crc >> 8U) ^ table[(crc ^ static_cast<unsigned char>(c)) & 0xffU];
  return ~crc;
}

Result<PartitionTable> read_partitions(std::uint64_t disk_size, const ReadAt& read, std::uint32_t mbr_sector_size) {
  if (disk_size < 2 * mbr_size) return PartitionTable{};
  VMPATCH_TRY(const std::string sector, read(0, mbr_size));
  if (!has_boot_signature(sector)) return PartitionTable{};
  for (std::size_t i = 0; i < 4; ++i) {
    if (mbr_entry(sector, i).type == gpt_protective) return find_gpt(disk_size, read);
  }
  if (!is_sane_mbr(sector)) return PartitionTable{};
  return read_mbr(sector, disk_size, read, mbr_sector_size);
}

}  // namespace vmpatch::guest::direct
