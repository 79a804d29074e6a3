// Block devices as sysfs shows them: /sys/dev/block/MAJOR:MINOR.
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <charconv>

#include "image/udev.hpp"
#include "image/volume.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/host.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::image {
namespace {

constexpr std::uint64_t longest_value = 4096;

fs::path folder_of(dev_t device) { return fmt::format("/sys/dev/block/{}:{}", major(device), minor(device)); }

/// Empty where there is no such attribute.
std::string attribute(const fs::path& folder, const char* name) {
  const auto text = read_file(folder / name, longest_value);
  return text ? std::string(trim(*text)) : std::string();
}

std::optional<dev_t> parse_device(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  unsigned high = 0;
  unsigned low = 0;
  const char* end = text.data() + text.size();
  if (std::from_chars(text.data(), text.data() + colon, high).ec != std::errc()) return std::nullopt;
  if (std::from_chars(text.data() + colon + 1, end, low).ec != std::errc()) return std::nullopt;
  return makedev(high, low);
}

/// The disk that a partition is of; nothing for a whole disk.
std::optional<dev_t> disk_of_partition(const fs::path& folder) {
  if (attribute(folder, "partition").empty()) return std::nullopt;
  std::error_code error;
  const fs::path real = fs::canonical(folder, error);
  return error ? std::nullopt : parse_device(attribute(real.parent_path(), "dev"));
}

/// The file behind a loop device, by its own lasting name.
std::optional<std::string> loop_name(const fs::path& folder) {
  const std::string backing = attribute(folder, "loop/backing_file");
  if (backing.empty()) return std::nullopt;
  const UniqueFd file(::open(backing.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0) return std::nullopt;
  const std::string holder = S_ISBLK(info.st_mode) ? name_of_device(info.st_rdev) : volume_of_file(file.get(), info);
  return fmt::format("loop:{}/{}+{}", holder, S_ISBLK(info.st_mode) ? 0 : info.st_ino, attribute(folder, "loop/offset"));
}

std::optional<std::string> own_name(dev_t device, const fs::path& folder) {
  if (const auto uuid = attribute(folder, "dm/uuid"); !uuid.empty()) return "dm:" + uuid;
  if (auto loop = loop_name(folder)) return loop;
  for (const char* name : {"wwid", "device/wwid"}) {
    if (const auto id = attribute(folder, name); !id.empty()) return "wwn:" + id;
  }
  for (const char* name : {"serial", "device/serial"}) {
    if (const auto id = attribute(folder, name); !id.empty()) return "serial:" + id;
  }
  for (const char* key : {"DM_UUID", "MD_UUID", "ID_WWN_WITH_EXTENSION", "ID_SERIAL"}) {
    if (auto value = udev_property(device, key)) return fmt::format("{}:{}", key, *value);
  }
  return std::nullopt;
}

std::uint64_t number_at(const std::vector<std::string_view>& fields, std::size_t index) {
  std::uint64_t value = 0;
  if (index < fields.size()) std::from_chars(fields[index].data(), fields[index].data() + fields[index].size(), value);
  return value;
}

}  // namespace

std::optional<std::string> udev_property(dev_t device, std::string_view key) {
  const auto text = read_file(fmt::format("/run/udev/data/b{}:{}", major(device), minor(device)), 1U << 20U);
  if (!text) return std::nullopt;
  for (const auto line : split(*text, '\n')) {
    if (!line.starts_with("E:")) continue;
    const auto equals = line.find('=');
    if (equals == std::string_view::npos || line.substr(2, equals - 2) != key || equals + 1 == line.size()) continue;
    return std::string(line.substr(equals + 1));
  }
  return std::nullopt;
}

std::string name_of_device(dev_t device) {
  const fs::path folder = folder_of(device);
  const auto disk = disk_of_partition(folder);
  if (auto own = own_name(disk.value_or(device), disk ? folder_of(*disk) : folder)) {
    return disk ? fmt::format("{}+{}", *own, attribute(folder, "start")) : std::move(*own);
  }
  if (auto uuid = udev_property(device, "ID_PART_ENTRY_UUID")) return "partition:" + *uuid;
  return fmt::format("device:{}:{}", major(device), minor(device));
}

DeviceWrites count_writes(dev_t device) {
  const fs::path folder = folder_of(device);
  const auto disk = disk_of_partition(folder);
  const std::string attachment = attribute(disk ? folder_of(*disk) : folder, "diskseq");
  const auto boot = boot_id();
  std::vector<std::string_view> fields;
  const std::string text = attribute(folder, "stat");
  for (const auto field : split(text, ' ')) {
    if (!field.empty()) fields.push_back(field);
  }
  if (attachment.empty() || !boot || fields.size() < 7) return {};
  constexpr std::size_t sectors_written = 6;
  constexpr std::size_t sectors_discarded = 13;
  return {fmt::format("{}/{}", *boot, attachment), number_at(fields, sectors_written) + number_at(fields, sectors_discarded)};
}

}  // namespace vmpatch::image
