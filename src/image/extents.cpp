#include "vmpatch/image/extents.hpp"

#include <algorithm>

namespace vmpatch::image {

std::uint64_t total_length(const std::vector<Extent>& extents) {
  std::uint64_t sum = 0;
  for (const Extent& extent : extents) sum += extent.length;
  return sum;
}

std::uint64_t uncovered_length(const std::vector<Extent>& a, const std::vector<Extent>& b) {
  std::uint64_t uncovered = 0;
  auto cover = b.begin();
  for (const Extent& extent : a) {
    std::uint64_t at = extent.offset;
    const std::uint64_t end = extent.offset + extent.length;
    while (cover != b.end() && cover->offset + cover->length <= at) ++cover;
    for (auto next = cover; next != b.end() && next->offset < end; ++next) {
      if (next->offset > at) uncovered += next->offset - at;
      at = std::max(at, next->offset + next->length);
    }
    if (at < end) uncovered += end - at;
  }
  return uncovered;
}

}  // namespace vmpatch::image
