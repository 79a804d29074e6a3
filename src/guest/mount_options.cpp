#include "guest/mount_options.hpp"

#include <algorithm>
#include <charconv>

#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

/// btrfs(5), "subvolid": 5 is the top of the file system, and so is 0.
constexpr std::uint64_t top_subvolume = 5;

std::string_view without_slashes(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

std::optional<std::uint64_t> subvolume_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number == 0 ? top_subvolume : number;
}

}  // namespace

bool has_option(const MountEntry& entry, std::string_view name) {
  const auto options = split(entry.options, ',');
  return std::find(options.begin(), options.end(), name) != options.end();
}

std::optional<std::string> option_value(const MountEntry& entry, std::string_view name) {
  for (const std::string_view option : split(entry.options, ',')) {
    if (option.size() > name.size() && option.starts_with(name) && option[name.size()] == '=') {
      return std::string(option.substr(name.size() + 1));
    }
  }
  return std::nullopt;
}

bool asks_for_subvolume(const MountEntry& entry) { return option_value(entry, "subvol") || option_value(entry, "subvolid"); }

bool is_subvolume_of(const MountEntry& entry, const FileSystem& file_system) {
  if (file_system.type != "btrfs" || file_system.subvolume_id == 0) return false;
  if (const auto path = option_value(entry, "subvol")) {
    return without_slashes(*path) == without_slashes(file_system.subvolume);
  }
  const auto number = option_value(entry, "subvolid");
  return number && subvolume_number(*number) == file_system.subvolume_id;
}

}  // namespace vmpatch::guest
