#pragma once
// Finding the guest among file systems: pure, shared by all adapters.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {

/// One file system as an adapter lists it.
struct FileSystem {
  std::string device;  ///< adapter's name: /dev/sda1; libguestfs' of a subvolume: btrfsvol:/dev/sda1/PATH
  std::string type;    ///< ext4, xfs, swap, swsuspend, crypto_LUKS, LVM2_member, …, "" = unknown
  std::string uuid, label, part_uuid;
  std::string part_label{};        ///< name of the partition, of GPT
  bool names_known = true;         ///< false: it may have a UUID or label that the adapter cannot read
  std::string subvolume{};         ///< btrfs: path of what is mounted, from the top of the file system; "" = the top itself
  std::uint64_t subvolume_id = 0;  ///< btrfs: its number; 0 = not known
  std::string holder{};            ///< btrfs: the device whose subvolume this is; "" = `device` is one

  [[nodiscard]] const std::string& block_device() const { return holder.empty() ? device : holder; }

  /// A btrfs by its device: what is mounted without an option.
  [[nodiscard]] bool is_default_subvolume() const { return type == "btrfs" && holder.empty(); }
};

/// A mount point of the guest, and what is there.
struct PlannedMount {
  std::string where;
  FileSystem file_system{};        ///< empty where nothing can be mounted
  std::optional<Error> blocked{};  ///< why nothing can; what lies below answers with it
  std::string bound_from{};        ///< of a bind mount: the guest's folder or file that is seen at `where`
  bool left_out = false;           ///< blocked, but the running guest has something there; who writes may write below it
};

/// Of a device whose content needs a key.
[[nodiscard]] constexpr bool is_encrypted_type(std::string_view type) { return type == "crypto_LUKS" || type == "BitLocker"; }

/// Without this place nothing can be said about a guest: its root, /boot, /etc, /usr, /var and the package databases.
[[nodiscard]] bool is_vital(std::string_view where);

/// A table with more mount points is failed.
inline constexpr std::size_t max_mount_points = 1000;

/// Mount table of a guest: root first, then deeper ones, from its fstab. Understands UUID=, LABEL=, PARTUUID=, PARTLABEL=,
/// the links to them in /dev/disk, /dev/sdXN, /dev/vdXN, /dev/xvdXN, /dev/hdXN, /dev/nvmeXnYpZ (mapped by disk order).
/// Bind mounts come behind what they need. Nothing comes of swap, what is mounted by hand only, and /proc, /sys, /dev, /run, /tmp.
/// Blocked: an entry whose device is not there (not_found; unsupported where a file system may have that name and the adapter
/// cannot read it), or whose name only the running machine can tell (by-id, by-path). Blocked and left out: memory (not_found), and what
/// hides the disk's own content behind another host's, a loop device's, an overlay's, … (refused). At a vital place these are errors.
/// Errors: those, failed, refused (two devices of one name).
Result<std::vector<PlannedMount>> plan_mounts(const FileSystem& root, const std::vector<MountEntry>& fstab,
                                              const std::vector<FileSystem>& all);

}  // namespace vmpatch::guest
