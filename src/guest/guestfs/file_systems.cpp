#include "guest/guestfs/file_systems.hpp"

#include <algorithm>
#include <map>

#include "guest/fstab_devices.hpp"

namespace vmpatch::guest::guestfs {
namespace {

struct Subvolumes {
  std::map<std::string, std::uint64_t> ids;  ///< by path
  std::uint64_t default_id = 0;              ///< 0 = not known
};

/// Finds each thing out once for a device, however many subvolumes it has.
class Devices {
 public:
  explicit Devices(guestfs_h* g) : g_(g) {}

  FileSystem identify(const std::string& mountable, const std::string& type) {
    const std::string device = block_device(g_, mountable);
    FileSystem found = tags_of(device);
    found.device = mountable;
    found.type = type;
    if (type == "btrfs") add_subvolume(found, device);
    return found;
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

  const Subvolumes& subvolumes_of(const std::string& device) {
    const auto known = subvolumes_.find(device);
    if (known != subvolumes_.end()) return known->second;
    Subvolumes found;
    const std::int64_t id = guestfs_btrfs_subvolume_get_default(g_, device.c_str());
    if (id > 0) found.default_id = static_cast<std::uint64_t>(id);
    const SubvolumesPtr list(guestfs_btrfs_subvolume_list(g_, device.c_str()));
    for (std::uint32_t i = 0; list && i < list->len; ++i) {
      found.ids[list->val[i].btrfssubvolume_path] = list->val[i].btrfssubvolume_id;
    }
    return subvolumes_.emplace(device, std::move(found)).first->second;
  }

  void add_subvolume(FileSystem& fs, const std::string& device) {
    const Subvolumes& all = subvolumes_of(device);
    if (fs.is_default_subvolume()) {
      fs.subvolume_id = all.default_id;
      for (const auto& [path, id] : all.ids) {
        if (id == all.default_id) fs.subvolume = path;
      }
      return;
    }
    const CString path(guestfs_mountable_subvolume(g_, fs.device.c_str()));
    if (!path) return;
    fs.subvolume = path.get();
    const auto id = all.ids.find(fs.subvolume);
    if (id != all.ids.end()) fs.subvolume_id = id->second;
  }

  guestfs_h* g_;
  std::map<std::string, FileSystem> tags_;
  std::map<std::string, Subvolumes> subvolumes_;
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

std::string block_device(guestfs_h* g, const std::string& mountable) {
  if (!mountable.starts_with("btrfsvol:")) return mountable;
  const CString device(guestfs_mountable_device(g, mountable.c_str()));
  return device ? device.get() : mountable;
}

Result<std::vector<FileSystem>> list_file_systems(guestfs_h* g, const std::string& payload_device) {
  const Strings listed(guestfs_list_filesystems(g));
  if (!listed) return last_error(g, "list the file systems of the machine");
  std::vector<FileSystem> all;
  Devices devices(g);
  for (const auto& [mountable, type] : to_pairs(listed)) {
    if (!payload_device.empty() && mountable.starts_with(payload_device)) continue;
    all.push_back(devices.identify(mountable, type));
  }
  add_encrypted(g, payload_device, devices, all);
  return all;
}

}  // namespace vmpatch::guest::guestfs
