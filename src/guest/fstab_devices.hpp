#pragma once
// What the first field of an fstab line names: pure.

#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/guest/disks.hpp"

namespace vmpatch::guest {

enum class SourceKind {
  name,      ///< UUID or label of a file system
  device,    ///< a device by its name, or by its partition's
  hardware,  ///< what only the running machine can tell: /dev/disk/by-id, by-path
  none       ///< no device: a file, a share, a pool
};
[[nodiscard]] SourceKind source_kind(std::string_view what);

/// What of `all` it means: more than one where names are not unique, and for the subvolumes of a btrfs.
[[nodiscard]] std::vector<FileSystem> find_devices(std::string_view what, const std::vector<FileSystem>& all);

/// Names as udev writes them in /dev/disk, and blkid for its export format: unusual bytes as \xHH, others after a backslash.
[[nodiscard]] std::string decode_escaped_name(std::string_view text);

}  // namespace vmpatch::guest
