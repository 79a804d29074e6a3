#pragma once
// Options of one line of a mount table.

#include <optional>
#include <string>
#include <string_view>

#include "vmpatch/guest/disks.hpp"

namespace vmpatch::guest {

[[nodiscard]] bool has_option(const MountEntry& entry, std::string_view name);
/// Value of name=value.
[[nodiscard]] std::optional<std::string> option_value(const MountEntry& entry, std::string_view name);

/// subvol= or subvolid= of btrfs.
[[nodiscard]] bool asks_for_subvolume(const MountEntry& entry);
/// The file system is the subvolume that the entry asks for; by its path where the entry has one, else by its number.
[[nodiscard]] bool is_subvolume_of(const MountEntry& entry, const FileSystem& file_system);

}  // namespace vmpatch::guest
