#pragma once
// Room that a commit will need where the image lies, known before the first byte is written.

#include "vmpatch/image/extents.hpp"

namespace vmpatch::image {

/// Bytes by which the file of the chain's top layer may grow when `extents` are written: holes of a raw file, clusters that the qcow2
/// file does not hold yet, and everything where the file system copies on write (btrfs, ZFS) or the file shares its blocks with
/// another (reflink). 0 for a block device. `content` is an export of this chain.
Result<std::uint64_t> growth_of(const Chain& chain, const NbdExport& content, const std::vector<Extent>& extents);

}  // namespace vmpatch::image
