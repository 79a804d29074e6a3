#pragma once
// Cost in proportion to the change: what an overlay holds, and copying or comparing exactly that, over NBD (libnbd).

#include <cstdint>
#include <vector>

#include "vmpatch/image/block_server.hpp"

namespace vmpatch::image {

struct Extent {
  std::uint64_t offset = 0;  ///< bytes
  std::uint64_t length = 0;
};

/// Clusters that the top image of an exported overlay holds itself (meta context qemu:allocation-depth == 1),
/// neighbours joined, in order.
Result<std::vector<Extent>> held_extents(const NbdExport& overlay);

/// Reads `extents` from `from` and writes them to the same offsets of `to` (as data, so that zeros are held too), flushes.
Result<void> copy_extents(const NbdExport& from, const NbdExport& to, const std::vector<Extent>& extents,
                          const Progress& progress);

/// Errc::failed with the first differing offset; success when equal.
Result<void> compare_extents(const NbdExport& a, const NbdExport& b, const std::vector<Extent>& extents);

[[nodiscard]] std::uint64_t total_length(const std::vector<Extent>& extents);

}  // namespace vmpatch::image
