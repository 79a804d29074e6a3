#include <algorithm>
#include <array>
#include <set>

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

/// Nothing that a disk has to bring.
bool is_skipped(const MountEntry& entry) {
  constexpr std::array<std::string_view, 22> types{
      "proc",   "sysfs",    "tmpfs",     "ramfs",  "devtmpfs",    "devpts",   "swap", "cgroup",  "cgroup2", "securityfs", "debugfs",
      "tracefs", "configfs", "hugetlbfs", "mqueue", "binfmt_misc", "efivarfs", "bpf",  "overlay", "aufs",    "autofs",     "none"};
  return is_one_of(types, entry.type) || !entry.where.starts_with('/') || has_option(entry, "bind") || has_option(entry, "rbind") ||
         has_option(entry, "noauto");
}

/// On other hosts, shared by the host, or made of what no adapter reads.
bool is_foreign(const MountEntry& entry) {
  constexpr std::array<std::string_view, 19> types{"nfs",    "nfs4",  "cifs", "smb3", "smbfs", "9p",  "virtiofs", "ceph",   "glusterfs", "afs",
                                                   "lustre", "gpfs",  "gfs2", "ocfs2", "davfs", "zfs", "ecryptfs", "vboxsf", "vmhgfs"};
  return is_one_of(types, entry.type) || entry.type.starts_with("fuse") || has_option(entry, "_netdev") || has_option(entry, "loop") ||
         option_value(entry, "loop") || source_kind(entry.what) == SourceKind::none;
}

/// One file system of several that share a UUID: btrfs lists each subvolume besides the device itself.
Result<std::optional<FileSystem>> choose(const MountEntry& entry, const std::vector<FileSystem>& found) {
  if (found.empty()) return std::optional<FileSystem>();
  if (asks_for_subvolume(entry)) {
    for (const FileSystem& f : found) {
      if (is_subvolume_of(entry, f)) return std::optional(f);
    }
    if (std::any_of(found.begin(), found.end(), [](const FileSystem& f) { return f.subvolume_id != 0; })) {
      return std::optional<FileSystem>();  // another subvolume is not what it asks for
    }
  }
  std::vector<FileSystem> plain;
  std::copy_if(found.begin(), found.end(), std::back_inserter(plain),
               [](const FileSystem& f) { return f.holder.empty(); });
  if (plain.size() == 1) return std::optional(plain.front());
  const std::vector<FileSystem>& several = plain.empty() ? found : plain;
  // The devices of one btrfs share its UUID; any of them mounts it.
  if (std::all_of(several.begin(), several.end(), [](const FileSystem& f) { return f.type == "btrfs"; })) {
    return std::optional(several.front());
  }
  return fail(Errc::refused, "fstab entry {} for {} means {} as well as {}; make their identifiers differ",
              escape_untrusted(entry.what), escape_untrusted(entry.where), escape_untrusted(several[0].device), escape_untrusted(several[1].device));
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

/// Why the device of an entry cannot be had.
Error absence(const MountEntry& entry, const std::vector<FileSystem>& all) {
  const std::string what = escape_untrusted(entry.what);
  const std::string where = escape_untrusted(entry.where);
  const SourceKind kind = source_kind(entry.what);
  if (kind == SourceKind::hardware) {
    return fail(Errc::not_found, "fstab names {} for {}, which only the running machine can tell; name it by UUID= there", what, where);
  }
  const auto unread = std::find_if(all.begin(), all.end(), [](const FileSystem& f) { return !f.names_known; });
  if (kind == SourceKind::name && unread != all.end()) {
    return fail(Errc::unsupported, "no file system with a known name is {} for {}; {} ({}) may be", what, where, escape_untrusted(unread->device),
                unread->type.empty() ? "not recognised" : unread->type);
  }
  const auto locked = std::find_if(all.begin(), all.end(), [](const FileSystem& f) { return is_encrypted_type(f.type); });
  if (locked != all.end()) {
    return fail(Errc::not_found, "no disk of this machine shows {} for {}; it may be inside of {}, which is encrypted", what, where, escape_untrusted(locked->device));
  }
  return fail(Errc::not_found, "no disk of this machine holds {} for {}; add the missing disk or correct the entry", what, where);
}

/// At a vital place everything but another adapter's turn ends the reading.
Error vital(Error why, const FileSystem& root) {
  if (why.code != Errc::unsupported) why.code = Errc::failed;
  return std::move(why).in("fstab of " + escape_untrusted(root.device));
}

/// Folders before what lies in them, entries of equal depth in the order of the table; what is mounted hides what is not.
void put_in_order(std::vector<PlannedMount>& mounts) {
  std::set<std::string> mounted;
  for (const PlannedMount& mount : mounts) {
    if (!mount.blocked) mounted.insert(mount.where);
  }
  std::erase_if(mounts, [&](const PlannedMount& mount) { return mount.blocked && mounted.contains(mount.where); });
  const auto depth = [](const PlannedMount& mount) { return std::count(mount.where.begin(), mount.where.end(), '/'); };
  std::stable_sort(mounts.begin(), mounts.end(), [&](const auto& a, const auto& b) { return depth(a) < depth(b); });
}

}  // namespace

bool is_vital(std::string_view where) {
  constexpr std::array<std::string_view, 18> places{
      "/",        "/boot",    "/etc",     "/usr",       "/var",           "/var/lib",     "/lib",           "/lib64",           "/bin",
      "/sbin",    "/usr/bin", "/usr/sbin", "/usr/lib",   "/usr/lib64",     "/var/lib/dpkg", "/var/lib/rpm", "/var/lib/pacman", "/lib/apk"};
  return is_one_of(places, where) || where.starts_with("/etc/") || where.starts_with("/usr/lib/sysimage") ||
         where.ends_with("/lib/modules");
}

Result<std::vector<PlannedMount>> plan_mounts(const FileSystem& root, const std::vector<MountEntry>& fstab,
                                              const std::vector<FileSystem>& all) {
  std::vector<PlannedMount> mounts;
  for (const MountEntry& entry : fstab) {
    if (is_skipped(entry)) continue;
    VMPATCH_TRY(std::string where, clean_mount_point(entry.where));
    if (where.size() == 1) continue;  // the root itself
    if (is_foreign(entry)) {
      if (!is_vital(where)) continue;
      return fail(Errc::failed, "fstab of {}: {} ({}) for {} is not on a disk of this machine; patch it while it runs", escape_untrusted(root.device),
                  escape_untrusted(entry.what), escape_untrusted(entry.type), escape_untrusted(where));
    }
    if (mounts.size() == max_mount_points) {
      return fail(Errc::failed, "fstab of {} has more than {} mount points; remove those that are not in use", escape_untrusted(root.device), max_mount_points);
    }
    VMPATCH_TRY(std::optional<FileSystem> found, choose(entry, find_devices(entry.what, all)));
    if (found) {
      mounts.push_back({std::move(where), std::move(*found), std::nullopt});
      continue;
    }
    Error why = absence(entry, all);
    if (is_vital(where)) return vital(std::move(why), root);
    mounts.push_back({std::move(where), {}, std::move(why)});
  }
  put_in_order(mounts);
  mounts.insert(mounts.begin(), PlannedMount{"/", root, std::nullopt});
  return mounts;
}

}  // namespace vmpatch::guest
