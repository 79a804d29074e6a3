#include <algorithm>
#include <array>

#include "guest/fstab_devices.hpp"
#include "guest/mount_kinds.hpp"
#include "guest/mount_options.hpp"
#include "guest/mount_order.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/guest/disks.hpp"

namespace vmpatch::guest {
namespace {

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

/// An entry that hides what the disk has at its place, or that shows another place of the guest.
Result<PlannedMount> plan_other(const FileSystem& root, const MountEntry& entry, std::string where, const MountReading& reading) {
  if (reading.kind == MountKind::bind) {
    PlannedMount mount{std::move(where), {}, std::nullopt};
    mount.bound_from = *clean_path(entry.what);
    return mount;
  }
  const bool memory = reading.kind == MountKind::memory;
  Error why = fail(memory ? Errc::not_found : Errc::refused, "fstab of {}: {} ({}) for {} {}", escape_untrusted(root.device), escape_untrusted(entry.what),
                   escape_untrusted(entry.type), escape_untrusted(where), reading.why);
  if (is_vital(where)) {
    why.code = Errc::refused;
    return why;
  }
  PlannedMount mount{std::move(where), {}, std::move(why)};
  mount.left_out = true;
  return mount;
}

/// Nothing for an entry that mounts nothing.
Result<std::optional<PlannedMount>> plan_entry(const FileSystem& root, const MountEntry& entry, const std::vector<FileSystem>& all) {
  if (!entry.where.starts_with('/')) return std::optional<PlannedMount>();
  auto where = clean_path(entry.where);
  if (!where) return fail(Errc::failed, "fstab: mount point {} leaves its folder", escape_untrusted(entry.where));
  const MountReading reading = read_mount(entry, *where);
  if (reading.kind == MountKind::nothing) return std::optional<PlannedMount>();
  if (reading.kind != MountKind::device) {
    VMPATCH_TRY(auto other, plan_other(root, entry, std::move(*where), reading));
    return std::optional(std::move(other));
  }
  VMPATCH_TRY(std::optional<FileSystem> found, choose(entry, find_devices(entry.what, all)));
  if (found) return std::optional(PlannedMount{std::move(*where), std::move(*found), std::nullopt});
  Error why = absence(entry, all);
  if (is_vital(*where)) return vital(std::move(why), root);
  return std::optional(PlannedMount{std::move(*where), {}, std::move(why)});
}

}  // namespace

bool is_vital(std::string_view where) {
  constexpr std::array<std::string_view, 18> places{
      "/",        "/boot",    "/etc",     "/usr",       "/var",           "/var/lib",     "/lib",           "/lib64",           "/bin",
      "/sbin",    "/usr/bin", "/usr/sbin", "/usr/lib",   "/usr/lib64",     "/var/lib/dpkg", "/var/lib/rpm", "/var/lib/pacman", "/lib/apk"};
  return std::find(places.begin(), places.end(), where) != places.end() || where.starts_with("/etc/") || where.starts_with("/usr/lib/sysimage") ||
         where.ends_with("/lib/modules");
}

Result<std::vector<PlannedMount>> plan_mounts(const FileSystem& root, const std::vector<MountEntry>& fstab,
                                              const std::vector<FileSystem>& all) {
  std::vector<PlannedMount> mounts;
  for (const MountEntry& entry : fstab) {
    VMPATCH_TRY(auto mount, plan_entry(root, entry, all));
    if (!mount) continue;
    if (mounts.size() == max_mount_points) {
      return fail(Errc::failed, "fstab of {} has more than {} mount points; remove those that are not in use", escape_untrusted(root.device), max_mount_points);
    }
    mounts.push_back(std::move(*mount));
  }
  VMPATCH_CHECK(put_in_order(mounts));
  mounts.insert(mounts.begin(), PlannedMount{"/", root, std::nullopt});
  return mounts;
}

}  // namespace vmpatch::guest
