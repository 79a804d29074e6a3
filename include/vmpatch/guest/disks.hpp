#pragma once
// Finding the guest among file systems: pure, shared by all adapters.

#include <cstdint>
#include <string>
#include <vector>

#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {

/// One file system as an adapter lists it.
struct FileSystem {
  std::string device;  ///< adapter's name: /dev/sda1
  std::string type;    ///< ext4, xfs, swap, swsuspend, crypto_LUKS, LVM2_member, …, "" = unknown
  std::string uuid, label, part_uuid;
  std::string subvolume{};         ///< btrfs: path of what is mounted, from the top of the file system; "" = the top itself
  std::uint64_t subvolume_id = 0;  ///< btrfs: its number; 0 = not known

  /// A btrfs by its device: what is mounted without an option. libguestfs names other subvolumes "btrfsvol:/dev/sda1/PATH".
  [[nodiscard]] bool is_default_subvolume() const { return type == "btrfs" && !device.starts_with("btrfsvol:"); }
};

/// Mount table of a guest: root first, then deeper ones, from its fstab. An fstab entry of a local file system that cannot
/// be found is an error unless "nofail" or "noauto"; pseudo, network and swap entries are skipped. Understands UUID=, LABEL=,
/// PARTUUID=, /dev/disk/by-*/, /dev/sdXN, /dev/vdXN, /dev/xvdXN, /dev/hdXN, /dev/nvmeXnYpZ (mapped by disk order).
Result<std::vector<std::pair<std::string, FileSystem>>> plan_mounts(const FileSystem& root,
                                                                    const std::vector<MountEntry>& fstab,
                                                                    const std::vector<FileSystem>& all);

}  // namespace vmpatch::guest
