#include "image/device_probe.hpp"

#include <algorithm>
#include <set>
#include <string>

#include "image/open_file.hpp"

namespace vmpatch::image {
namespace {

constexpr std::uint64_t sector = 512;
constexpr std::size_t max_starts = 16;
constexpr std::size_t head_size = 20U << 10U;  // MBR, GPT header, 128 entries of it

std::uint64_t read_le(const std::string& bytes, std::size_t offset, std::size_t length) {
  std::uint64_t value = 0;
  for (std::size_t i = length; i-- > 0;) value = (value << 8U) | static_cast<unsigned char>(bytes[offset + i]);
  return value;
}

/// First bytes of partitions, as an MBR (logical ones left out) or a GPT with 512- or 4096-byte sectors says. Hostile input.
std::set<std::uint64_t> partition_starts(const std::string& head) {
  std::set<std::uint64_t> starts{0};
  if (head.size() < head_size) return starts;
  for (std::size_t i = 0; i < 4; ++i) starts.insert(read_le(head, 446 + 16 * i + 8, 4) * sector);
  for (const std::size_t unit : {std::size_t{512}, std::size_t{4096}}) {
    if (head.compare(unit, 8, "EFI PART") != 0) continue;
    for (std::size_t at = 2 * unit; at + 128 <= head_size && starts.size() < max_starts; at += 128) {
      const std::uint64_t start = read_le(head, at + 32, 8);
      if (start < (1ULL << 50U)) starts.insert(start * unit);
    }
  }
  return starts;
}

}  // namespace

Result<Digest> probe_device(int fd, std::uint64_t size, const std::filesystem::path& path) {
  VMPATCH_TRY(const auto head, read_at(fd, 0, head_size, path));
  Sha256 hash;
  hash.update(head);
  constexpr std::uint64_t superblock_of_btrfs = 64U << 10U;
  constexpr std::uint64_t length = 4096;
  for (const std::uint64_t start : partition_starts(head)) {
    for (const std::uint64_t at : {start, start + superblock_of_btrfs}) {
      if (at > size - std::min(size, length)) continue;
      VMPATCH_TRY(const auto bytes, read_at(fd, at, length, path));
      hash.update(bytes);
    }
  }
  return hash.finish();
}

}  // namespace vmpatch::image
