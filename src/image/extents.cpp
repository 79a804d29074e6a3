#include "vmpatch/image/extents.hpp"

namespace vmpatch::image {

std::uint64_t total_length(const std::vector<Extent>& extents) {
  std::uint64_t sum = 0;
  for (const Extent& extent : extents) sum += extent.length;
  return sum;
}

}  // namespace vmpatch::image
