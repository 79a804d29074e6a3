#pragma once

#include <string>
#include <vector>

#include "guest/guestfs/handle.hpp"
#include "vmpatch/guest/disks.hpp"

namespace vmpatch::guest::guestfs {

/// Everything on the machine's disks, the payload disk ("" = none) left out; each btrfs once by its device, which mounts its
/// default subvolume, and once for every other subvolume.
Result<std::vector<FileSystem>> list_file_systems(guestfs_h* g, const std::string& payload_device);

}  // namespace vmpatch::guest::guestfs
