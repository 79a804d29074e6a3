#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>

#include "guest/mount_options.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/guest/disks.hpp"

namespace vmpatch::guest {
namespace {

/// Not a file system on one of the machine's disks.
bool is_skipped(const MountEntry& entry) {
  constexpr std::array<std::string_view, 26> types{
      "proc", "sysfs", "tmpfs", "ramfs", "devtmpfs", "devpts", "swap", "cgroup", "cgroup2", "securityfs", "debugfs",
      "tracefs", "configfs", "hugetlbfs", "mqueue", "binfmt_misc", "efivarfs", "bpf", "overlay", "nfs", "nfs4", "cifs",
      "smb3", "9p", "virtiofs", "autofs"};
  return std::find(types.begin(), types.end(), entry.type) != types.end() || entry.type.starts_with("fuse") ||
         entry.type == "ceph" || entry.type == "glusterfs" || entry.type == "none" || !entry.where.starts_with('/') ||
         has_option(entry, "bind") || has_option(entry, "rbind") || has_option(entry, "_netdev");
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

/// udev writes unusual bytes in /dev/disk/by-* names as \xHH.
std::string decode_udev(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text.substr(i).starts_with("\\x") && i + 4 <= text.size() &&
        std::from_chars(text.data() + i + 2, text.data() + i + 4, value, 16).ptr == text.data() + i + 4) {
      result += static_cast<char>(value);
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

std::string letters(unsigned index) {
  std::string name;
  for (++index; index > 0; index = (index - 1) / 26) name.insert(name.begin(), static_cast<char>('a' + (index - 1) % 26));
  return name;
}

/// What the adapters call disk `index`, partition `part` ("" = the whole disk).
std::string adapter_name(unsigned index, std::string_view part) { return fmt::format("/dev/sd{}{}", letters(index), part); }

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// /dev/vdb2 → /dev/sdb2, /dev/nvme1n1p2 → /dev/sdb2: by the order of the disks.
std::optional<std::string> map_by_order(std::string_view device) {
  for (const std::string_view prefix : {"/dev/sd", "/dev/vd", "/dev/xvd", "/dev/hd"}) {
    if (!device.starts_with(prefix)) continue;
    const std::string_view rest = device.substr(prefix.size());
    const std::string_view disk = rest.substr(0, rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz"));
    const std::string_view part = rest.substr(disk.size());
    if (disk.empty() || disk.size() > 2 || (!part.empty() && !all_digits(part))) return std::nullopt;
    unsigned index = 0;
    for (const char c : disk) index = index * 26 + static_cast<unsigned>(c - 'a') + 1;
    return adapter_name(index - 1, part);
  }
  for (const std::string_view prefix : {"/dev/nvme", "/dev/mmcblk"}) {
    if (!device.starts_with(prefix)) continue;
    std::string_view rest = device.substr(prefix.size());
    unsigned index = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), index);
    if (error != std::errc{} || index > 700) return std::nullopt;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    if (prefix == "/dev/nvme") {
      if (!rest.starts_with("n1")) return std::nullopt;
      rest.remove_prefix(2);
    }
    if (rest.empty()) return adapter_name(index, "");
    if (rest.front() != 'p' || !all_digits(rest.substr(1))) return std::nullopt;
    return adapter_name(index, rest.substr(1));
  }
  return std::nullopt;
}

/// /dev/mapper/my--group-root → /dev/my-group/root: device-mapper doubles hyphens inside names.
std::optional<std::string> logical_volume(std::string_view device) {
  constexpr std::string_view prefix = "/dev/mapper/";
  if (!device.starts_with(prefix)) return std::nullopt;
  std::string result = "/dev/";
  bool split_done = false;
  const std::string_view name = device.substr(prefix.size());
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '-') {
      result += name[i];
    } else if (i + 1 < name.size() && name[i + 1] == '-') {
      result += '-';
      ++i;
    } else if (!split_done) {
      result += '/';
      split_done = true;
    } else {
      return std::nullopt;
    }
  }
  return split_done ? std::optional(result) : std::nullopt;
}

using Match = std::vector<FileSystem>;

template <class Predicate>
Match select(const std::vector<FileSystem>& all, const Predicate& predicate) {
  Match found;
  std::copy_if(all.begin(), all.end(), std::back_inserter(found), predicate);
  return found;
}

Match find_device(std::string_view what, const std::vector<FileSystem>& all) {
  const auto tag = [&](std::string_view upper, std::string_view by) -> std::optional<std::string> {
    if (what.starts_with(upper) && what.substr(upper.size()).starts_with('=')) {
      std::string_view value = what.substr(upper.size() + 1);
      if (value.size() > 1 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front()) {
        value = value.substr(1, value.size() - 2);
      }
      return std::string(value);
    }
    if (what.starts_with(by)) return decode_udev(what.substr(by.size()));
    return std::nullopt;
  };
  if (const auto uuid = tag("UUID", "/dev/disk/by-uuid/")) {
    return select(all, [&](const FileSystem& f) { return !f.uuid.empty() && lower(f.uuid) == lower(*uuid); });
  }
  if (const auto label = tag("LABEL", "/dev/disk/by-label/")) {
    return select(all, [&](const FileSystem& f) { return !f.label.empty() && f.label == *label; });
  }
  if (const auto uuid = tag("PARTUUID", "/dev/disk/by-partuuid/")) {
    return select(all, [&](const FileSystem& f) { return !f.part_uuid.empty() && lower(f.part_uuid) == lower(*uuid); });
  }
  std::string device(what);
  if (const auto mapped = map_by_order(what)) device = *mapped;
  else if (const auto volume = logical_volume(what)) device = *volume;
  return select(all, [&](const FileSystem& f) { return f.device == device || f.device.starts_with("btrfsvol:" + device + "/"); });
}

/// One file system of several that share a UUID: btrfs lists each subvolume besides the device itself.
Result<std::optional<FileSystem>> choose(const MountEntry& entry, const Match& found) {
  if (found.empty()) return std::optional<FileSystem>();
  if (asks_for_subvolume(entry)) {
    for (const FileSystem& f : found) {
      if (is_subvolume_of(entry, f)) return std::optional(f);
    }
    if (std::any_of(found.begin(), found.end(), [](const FileSystem& f) { return f.subvolume_id != 0; })) {
      return std::optional<FileSystem>();  // another subvolume is not what it asks for
    }
  }
  const Match plain = select(found, [](const FileSystem& f) { return !f.device.starts_with("btrfsvol:"); });
  if (plain.size() == 1) return std::optional(plain.front());
  const Match& several = plain.empty() ? found : plain;
  // The devices of one btrfs share its UUID; any of them mounts it.
  if (std::all_of(several.begin(), several.end(), [](const FileSystem& f) { return f.type == "btrfs"; })) {
    return std::optional(several.front());
  }
  return fail(Errc::refused, "fstab entry {} for {} means {} as well as {}; make their identifiers differ",
              escape_untrusted(entry.what), escape_untrusted(entry.where), several[0].device, several[1].device);
}

Result<std::string> clean_mount_point(std::string_view where) {
  std::string result;
  for (const std::string_view part : split(where, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return fail(Errc::failed, "fstab: mount point {} leaves its folder", escape_untrusted(where));
    result += "/";
    result += part;
  }
  return result.empty() ? "/" : result;
}

}  // namespace

Result<std::vector<std::pair<std::string, FileSystem>>> plan_mounts(const FileSystem& root,
                                                                    const std::vector<MountEntry>& fstab,
                                                                    const std::vector<FileSystem>& all) {
  std::vector<std::pair<std::string, FileSystem>> mounts;
  for (const MountEntry& entry : fstab) {
    if (is_skipped(entry) || has_option(entry, "noauto")) continue;
    VMPATCH_TRY(std::string where, clean_mount_point(entry.where));
    if (where.size() == 1) continue;  // the root itself
    VMPATCH_TRY(const std::optional<FileSystem> found, choose(entry, find_device(entry.what, all)));
    if (found) {
      mounts.emplace_back(std::move(where), *found);
    } else if (!has_option(entry, "nofail")) {
      return fail(Errc::failed, "fstab of {}: no disk of this machine holds {} for {}; add the missing disk or mark it nofail",
                  root.device, escape_untrusted(entry.what), escape_untrusted(entry.where));
    }
  }
  // A folder before what lies in it; entries of equal depth in the order of the table.
  const auto depth = [](const std::string& path) { return std::count(path.begin(), path.end(), '/'); };
  std::stable_sort(mounts.begin(), mounts.end(),
                   [&](const auto& a, const auto& b) { return depth(a.first) < depth(b.first); });
  mounts.insert(mounts.begin(), {"/", root});
  return mounts;
}

}  // namespace vmpatch::guest
