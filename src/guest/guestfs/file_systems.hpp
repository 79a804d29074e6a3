#pragma once

#include <string>
#include <vector>

#include "guest/guestfs/handle.hpp"
#include "vmpatch/guest/disks.hpp"

namespace vmpatch::guest::guestfs {

/// The block device of what libguestfs can mount: of a btrfs subvolume, that of its file system.
[[nodiscard]] std::string block_device(guestfs_h* g, const std::string& mountable);

/// Everything on the machine's disks, the payload disk ("" = none) left out; each btrfs once by its device, which mounts its
/// default subvolume, and once for every other subvolume.
Result<std::vector<FileSystem>> list_file_systems(guestfs_h* g, const std::string& payload_device);

}  // namespace vmpatch::guest::guestfs
