#pragma once
// Finding the guest among file systems: pure, shared by all adapters.

#include <map>
#include <string>
#include <vector>

#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {

/// One file system as an adapter lists it.
struct FileSystem {
  std::string device;  ///< adapter's name: /dev/sda1
  std::string type;    ///< ext4, xfs, swap, swsuspend, crypto_LUKS, LVM2_member, …, "" = unknown
  std::string uuid, label, part_uuid;
};

/// Mount table of a guest: root first, then deeper ones, from its fstab. An fstab entry of a local file system that cannot
/// be found is an error unless "nofail" or "noauto"; pseudo, network and swap entries are skipped. Understands UUID=, LABEL=,
/// PARTUUID=, /dev/disk/by-*/, /dev/sdXN, /dev/vdXN, /dev/xvdXN, /dev/hdXN, /dev/nvmeXnYpZ (mapped by disk order).
Result<std::vector<std::pair<std::string, FileSystem>>> plan_mounts(const FileSystem& root,
                                                                    const std::vector<MountEntry>& fstab,
                                                                    const std::vector<FileSystem>& all);

}  // namespace vmpatch::guest
