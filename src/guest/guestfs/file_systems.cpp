#include "guest/guestfs/file_systems.hpp"

#include <algorithm>
#include <map>

#include "guest/fstab_devices.hpp"

namespace vmpatch::guest::guestfs {
namespace {

constexpr std::string_view subvolume_prefix = "btrfsvol:";

/// Finds each thing out once for a device, however many subvolumes it has.
class Devices {
 public:
  explicit Devices(guestfs_h* g) : g_(g) {}

  FileSystem identify(const std::string& device, const std::string& type) {
    FileSystem found = tags_of(device);
    found.device = device;
    found.type = type;
    return found;
  }

  /// A btrfs: once by its device, which mounts its default subvolume, and once for every other subvolume. The names are made
  /// here: those of guestfs_list_filesystems hold the kernel's name of the disk, which is another than libguestfs' own
  /// when the kernel found the disks in another order. So does what guestfs_mountable_device answers.
  void add_btrfs(const std::string& device, std::vector<FileSystem>& all) {
    FileSystem whole = identify(device, "btrfs");
    const std::int64_t id = guestfs_btrfs_subvolume_get_default(g_, device.c_str());
    if (id > 0) whole.subvolume_id = static_cast<std::uint64_t>(id);
    const SubvolumesPtr list(guestfs_btrfs_subvolume_list(g_, device.c_str()));
    std::vector<FileSystem> others;
    for (std::uint32_t i = 0; list && i < list->len; ++i) {
      const auto& subvolume = list->val[i];
      const bool is_default = subvolume.btrfssubvolume_id == whole.subvolume_id;
      FileSystem& fs = is_default ? whole : others.emplace_back(identify(device, "btrfs"));
      fs.subvolume = subvolume.btrfssubvolume_path;
      if (is_default) continue;
      fs.device = fmt::format("{}{}/{}", subvolume_prefix, device, fs.subvolume);
      fs.holder = device;
      fs.subvolume_id = subvolume.btrfssubvolume_id;
    }
    all.push_back(std::move(whole));
    std::move(others.begin(), others.end(), std::back_inserter(all));
  }

 private:
  const FileSystem& tags_of(const std::string& device) {
    const auto known = tags_.find(device);
    if (known != tags_.end()) return known->second;
    FileSystem found;
    const Strings tags(guestfs_blkid(g_, device.c_str()));
    for (const auto& [name, value] : to_pairs(tags)) {
      if (name == "UUID") found.uuid = value;
      if (name == "LABEL") found.label = decode_escaped_name(value);
      if (name == "PART_ENTRY_UUID") found.part_uuid = value;
      if (name == "PART_ENTRY_NAME") found.part_label = decode_escaped_name(value);
    }
    return tags_.emplace(device, std::move(found)).first->second;
  }

  guestfs_h* g_;
  std::map<std::string, FileSystem> tags_;
};

/// libguestfs leaves out of its list what it would have to open with a key first.
void add_encrypted(guestfs_h* g, const std::string& payload_device, Devices& devices, std::vector<FileSystem>& all) {
  const Strings lists[] = {Strings(guestfs_list_partitions(g)), Strings(guestfs_list_devices(g)), Strings(guestfs_lvs(g))};
  for (const Strings& list : lists) {
    if (!list) continue;
    for (const std::string& device : to_vector(list)) {
      const bool known = std::any_of(all.begin(), all.end(), [&](const FileSystem& fs) { return fs.device == device; });
      if (known || (!payload_device.empty() && device.starts_with(payload_device))) continue;
      const CString type(guestfs_vfs_type(g, device.c_str()));
      if (type && is_encrypted_type(type.get())) all.push_back(devices.identify(device, type.get()));
    }
  }
}

}  // namespace

Result<std::vector<FileSystem>> list_file_systems(guestfs_h* g, const std::string& payload_device) {
  const Strings listed(guestfs_list_filesystems(g));
  if (!listed) return last_error(g, "list the file systems of the machine");
  std::vector<FileSystem> all;
  Devices devices(g);
  for (const auto& [mountable, type] : to_pairs(listed)) {
    if (!payload_device.empty() && mountable.starts_with(payload_device)) continue;
    if (mountable.starts_with(subvolume_prefix)) continue;  // see add_btrfs
    if (type == "btrfs") devices.add_btrfs(mountable, all);
    else all.push_back(devices.identify(mountable, type));
  }
  add_encrypted(g, payload_device, devices, all);
  return all;
}

}  // namespace vmpatch::guest::guestfs
