#pragma once
// Users of a disk whom QEMU's image locks do not reach: those are locks of one inode.

#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "vmpatch/core/result.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::image {

enum class Access { any, write };

/// A process that has the block device `info` open by another node than this one ("qemu-system-x86 (process 4711)"); empty when there is
/// none, or none that this account may see. libvirt gives its QEMUs a /dev of their own by default, and locks belong to the node.
/// Source: proc(5), /proc/PID/fd, /proc/PID/fdinfo. Costs one stat for each descriptor of the host.
[[nodiscard]] std::string user_of_other_node(const struct stat& info, Access access);

/// The loop device ("/dev/loop3") that stands on the regular file `info`; empty when there is none. By device and inode, whatever the
/// file's name was or is (loop(4), LOOP_GET_STATUS64); by the present file of its name where the loop device may not be opened.
[[nodiscard]] std::string loop_device_on(const struct stat& info);

/// Errc::busy when somebody uses the image in one of these ways, with the way out. `access`: who counts on a block device; of a regular
/// file a loop device counts with Access::any.
Result<void> check_no_other_user(int fd, const std::filesystem::path& path, Access access);

/// Opens the block device of `fd` once more, as its only exclusive user: as long as the descriptor lives, the host can neither mount the
/// device nor make it part of a RAID, a mapping or its swap (O_EXCL, open(2)). Errc::busy when one of these, or another
/// program, has claimed it.
Result<UniqueFd> claim_device(int fd, const std::filesystem::path& path);

}  // namespace vmpatch::image
