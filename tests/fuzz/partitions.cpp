// Partition tables and signatures of arbitrary disks: no crash, no read outside the disk, and partitions inside it. GPT
// checksums are also put right first, because no mutation would ever find a valid one.
#include "guest/direct/partitions.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "guest/direct/signatures.hpp"
#include "vmpatch/core/format.hpp"

namespace {

using namespace vmpatch;
using namespace vmpatch::guest::direct;

constexpr std::uint64_t max_reads = 2'000;

void require(bool holds) {
  if (!holds) std::abort();
}

/// The bytes, and zeros behind them up to `size`.
struct FuzzDisk {
  std::string_view bytes;
  std::uint64_t size;
  std::uint64_t reads = 0;

  ReadAt reader() {
    return [this](std::uint64_t offset, std::size_t length) -> Result<std::string> {
      require(offset <= size && length <= size - offset);
      require(length <= (1U << 20U) && ++reads <= max_reads);
      std::string result(slice(bytes, static_cast<std::size_t>(offset), length));
      result.resize(length, '\0');
      return result;
    };
  }
};

void put_le32(std::string& disk, std::size_t at, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) disk[at + i] = static_cast<char>((value >> (8U * i)) & 0xffU);
}

std::string with_right_checksums(std::string_view bytes, std::size_t sector) {
  std::string disk(bytes);
  if (disk.size() < 2 * sector) return disk;
  const std::uint64_t table = std::uint64_t{read_le<std::uint32_t>(disk, sector + 72)} * sector;
  const std::uint64_t length =
      std::uint64_t{read_le<std::uint32_t>(disk, sector + 80)} * read_le<std::uint32_t>(disk, sector + 84);
  if (length <= disk.size() && table <= disk.size() - length) {
    put_le32(disk, sector + 88,
             crc32(std::string_view(disk).substr(static_cast<std::size_t>(table), static_cast<std::size_t>(length))));
  }
  const auto header = read_le<std::uint32_t>(disk, sector + 12);
  if (header >= 92 && header <= sector) {
    put_le32(disk, sector + 16, 0);
    put_le32(disk, sector + 16, crc32(std::string_view(disk).substr(sector, header)));
  }
  return disk;
}

void check(std::string_view bytes, std::uint64_t size, std::uint32_t mbr_sector) {
  FuzzDisk disk{bytes, size};
  const auto table = read_partitions(size, disk.reader(), mbr_sector);
  if (!table) {
    require(!table.error().message.empty());
    return;
  }
  for (const Partition& partition : table->partitions) {
    require(partition.number > 0 && partition.offset < size && partition.length <= size - partition.offset);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const std::uint64_t disk_size : {std::uint64_t{size}, std::uint64_t{size} + (64U << 20U)}) {
    for (const std::uint32_t sector : {512U, 4096U}) {
      check(bytes, disk_size, sector);
      check(with_right_checksums(bytes, sector), disk_size, sector);
    }
    FuzzDisk disk{bytes, disk_size};
    const auto signature = recognise(disk_size, disk.reader());
    require(signature.has_value());
    if (signature->is_ext()) {
      require(size >= 1024 + 58);
      std::string superblock(slice(bytes, 1024, 1024));
      superblock.resize(1024, '\0');
      const auto readable = check_ext_superblock(superblock, disk_size);
      require(readable || readable.error().code == Errc::unsupported || readable.error().code == Errc::failed);
    }
  }
  return 0;
}
