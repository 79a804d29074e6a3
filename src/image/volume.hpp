#pragma once
// Names that outlive a reboot. Device numbers and the nodes in /dev do not: they are given anew at every boot.

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "vmpatch/core/result.hpp"

namespace vmpatch::image {

/// The file system that holds an open regular file: "ext:…", "btrfs:…" (with the subvolume), "xfs:UUID", "nfs4:SERVER:/EXPORT", "fs:UUID"
/// (as udev read it). Where nothing lasting is known "device:MAJOR:MINOR", which holds for this boot.
std::string volume_of_file(int fd, const struct stat& info);

/// The block device of number `device`: "dm:UUID", "wwn:…", "serial:…", "loop:…" (the file behind it), the disk's name with the
/// partition's start, or what udev knows (MD_UUID, ID_SERIAL, ID_PART_ENTRY_UUID). Else "device:MAJOR:MINOR".
std::string name_of_device(dev_t device);

/// What the kernel counted on a block device: who else wrote to it since is seen as long as the host runs. Sources: Linux
/// Documentation/block/stat.rst, Documentation/ABI/stable/sysfs-block (diskseq).
struct DeviceWrites {
  std::string incarnation;   ///< boot id and the number of this attachment; empty = the kernel does not tell
  std::uint64_t sectors = 0; ///< written and discarded, of 512 bytes
};
DeviceWrites count_writes(dev_t device);

}  // namespace vmpatch::image
