#include "guest/mount_kinds.hpp"

#include <algorithm>
#include <array>

#include "guest/fstab_devices.hpp"
#include "guest/mount_options.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/guest/disks.hpp"

namespace vmpatch::guest {
namespace {

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_memory(std::string_view type) {
  constexpr std::array<std::string_view, 18> types{"proc",    "sysfs",      "tmpfs",   "ramfs",    "devtmpfs",  "devpts",
                                                   "cgroup",  "cgroup2",    "debugfs", "tracefs",  "securityfs", "configfs",
                                                   "hugetlbfs", "mqueue",   "efivarfs", "bpf",     "binfmt_misc", "pstore"};
  return is_one_of(types, type);
}

/// Of several folders, by the running kernel.
bool is_joined(std::string_view type) {
  constexpr std::array<std::string_view, 6> types{"overlay", "overlayfs", "aufs", "unionfs", "autofs", "none"};
  return is_one_of(types, type);
}

/// On other hosts, shared by the host, or made of what no adapter reads.
bool is_foreign(const MountEntry& entry) {
  constexpr std::array<std::string_view, 19> types{"nfs",    "nfs4",  "cifs", "smb3", "smbfs", "9p",  "virtiofs", "ceph",   "glusterfs", "afs",
                                                   "lustre", "gpfs",  "gfs2", "ocfs2", "davfs", "zfs", "ecryptfs", "vboxsf", "vmhgfs"};
  return is_one_of(types, entry.type) || entry.type.starts_with("fuse") || has_option(entry, "_netdev") || has_option(entry, "loop") ||
         option_value(entry, "loop") || source_kind(entry.what) == SourceKind::none;
}

/// Another superblock, another place of the device, a folder of it: mount(8), ext4(5).
std::optional<std::string> other_part(const MountEntry& entry) {
  for (const char* name : {"offset", "sizelimit", "sb", "X-mount.subdir", "x-mount.subdir"}) {
    if (option_value(entry, name)) return name;
  }
  return std::nullopt;
}

bool is_by_hand(const MountEntry& entry) {
  return has_option(entry, "noauto") && !has_option(entry, "x-systemd.automount") && !has_option(entry, "comment=systemd.automount") &&
         !option_value(entry, "x-systemd.wanted-by") && !option_value(entry, "x-systemd.required-by");
}

/// Where the running kernel shows its own; no package delivers there.
bool is_volatile(std::string_view where) {
  constexpr std::array<std::string_view, 5> places{"/proc", "/sys", "/dev", "/run", "/tmp"};
  return std::any_of(places.begin(), places.end(), [&](std::string_view place) { return is_at_or_below(where, place); });
}

constexpr const char* way_out = "remove the line from the guest's fstab, or patch it while it runs";

MountReading read_bind(const MountEntry& entry, const std::string& where) {
  const auto from = clean_path(entry.what);
  if (!from || has_option(entry, "remount")) {
    return {MountKind::unreadable, fmt::format("is a bind mount that is not understood; {}", way_out)};
  }
  if (*from == where) return {};
  if (is_volatile(*from)) return {MountKind::memory, fmt::format("shows what the running kernel has at {}; {}", escape_untrusted(*from), way_out)};
  return {MountKind::bind, {}};
}

}  // namespace

std::optional<std::string> clean_path(std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  std::string result;
  for (const std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return std::nullopt;
    result += "/";
    result += part;
  }
  return result.empty() ? "/" : result;
}

bool is_at_or_below(std::string_view path, std::string_view folder) {
  if (folder == "/") return true;
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

MountReading read_mount(const MountEntry& entry, const std::string& where) {
  if (entry.type == "swap" || where == "/") return {};
  if (is_by_hand(entry)) {
    if (!is_vital(where)) return {};
    return {MountKind::unreadable, "is mounted by hand only (noauto), so nobody can tell whether it is; remove noauto or the line from the guest's fstab"};
  }
  if (has_option(entry, "bind") || has_option(entry, "rbind")) return read_bind(entry, where);
  if (is_memory(entry.type)) {
    if (is_volatile(where)) return {};
    return {MountKind::memory, fmt::format("hides what the disk has there; {}", way_out)};
  }
  if (is_joined(entry.type)) return {MountKind::unreadable, fmt::format("is joined by the running kernel; {}", way_out)};
  if (is_foreign(entry)) return {MountKind::unreadable, "is not on a disk of this machine; patch it while it runs"};
  if (const auto option = other_part(entry)) {
    return {MountKind::unreadable, fmt::format("is mounted with {}=, which is not followed; {}", *option, way_out)};
  }
  return {MountKind::device, {}};
}

}  // namespace vmpatch::guest
