#include "vmpatch/image/growth.hpp"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "image/open_file.hpp"

namespace vmpatch::image {
namespace {

constexpr long zfs_magic = 0x2fc12fc1;
constexpr std::size_t extents_a_call = 128;
constexpr std::size_t most_calls = 1024;

/// Whether any block of the file is shared (cp --reflink). What the file system does not tell counts as not shared.
bool shares_blocks(int fd) {
  // The extents follow the head in memory (linux/fiemap.h: a flexible array).
  std::vector<std::uint64_t> memory((sizeof(fiemap) + extents_a_call * sizeof(fiemap_extent)) / sizeof(std::uint64_t));
  auto* map = reinterpret_cast<fiemap*>(memory.data());
  std::uint64_t start = 0;
  for (std::size_t call = 0; call < most_calls; ++call) {
    std::fill(memory.begin(), memory.end(), 0);
    map->fm_start = start;
    map->fm_length = FIEMAP_MAX_OFFSET - start;
    map->fm_extent_count = extents_a_call;
    if (::ioctl(fd, FS_IOC_FIEMAP, map) != 0 || map->fm_mapped_extents == 0) return false;
    for (std::size_t i = 0; i < std::min<std::size_t>(map->fm_mapped_extents, extents_a_call); ++i) {
      const auto& extent = map->fm_extents[i];
      if ((extent.fe_flags & FIEMAP_EXTENT_SHARED) != 0) return true;
      if ((extent.fe_flags & FIEMAP_EXTENT_LAST) != 0) return false;
      start = extent.fe_logical + extent.fe_length;
    }
  }
  return true;  // so many pieces are not worth more looking
}

bool copies_on_write(int fd) {
  struct statfs system {};
  if (::fstatfs(fd, &system) != 0) return false;
  return system.f_type == BTRFS_SUPER_MAGIC || system.f_type == zfs_magic || shares_blocks(fd);
}

Result<std::vector<Extent>> data_of_file(const Layer& layer) {
  std::vector<Extent> data;
  const int fd = layer.fd.get();
  off_t at = 0;
  for (;;) {
    const off_t begin = ::lseek(fd, at, SEEK_DATA);
    if (begin < 0 && errno == ENXIO) return data;
    if (begin < 0) return errno_error(errno, "find the holes of image " + shown(layer.path));
    const off_t end = ::lseek(fd, begin, SEEK_HOLE);
    if (end < 0) return errno_error(errno, "find the holes of image " + shown(layer.path));
    data.push_back({static_cast<std::uint64_t>(begin), static_cast<std::uint64_t>(end - begin)});
    at = end;
  }
}

}  // namespace

Result<std::uint64_t> growth_of(const Chain& chain, const NbdExport& content, const std::vector<Extent>& extents) {
  const Layer& top = chain.top();
  if (top.block_device) return std::uint64_t{0};
  if (copies_on_write(top.fd.get())) return total_length(extents);
  if (top.format == Format::raw) {
    VMPATCH_TRY(const auto data, data_of_file(top));
    return uncovered_length(extents, data);
  }
  VMPATCH_TRY(const auto held, held_extents(content));
  const std::uint64_t clusters = uncovered_length(extents, held);
  // Its own tables grow with it: eight bytes a cluster of 512 bytes at the worst, and reference counts.
  return clusters + clusters / 16 + (1U << 20U);
}

}  // namespace vmpatch::image
