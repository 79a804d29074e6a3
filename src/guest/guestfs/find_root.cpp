#include "guest/guestfs/find_root.hpp"

#include <algorithm>

#include "guest/guestfs/file_systems.hpp"
#include "guest/guestfs/launch.hpp"
#include "guest/root_choice.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::guestfs {
namespace {

constexpr std::size_t max_fstab = 1U << 20U;

/// Signatures of a suspended system at the end of a swap area's first page: kernel/power/swap.c ("S1SUSPEND"), uswsusp
/// ("S2SUSPEND", "ULSUSPEND"), "LINHIB0001". The page is as large as the guest's processor has it.
template <class Read>
bool holds_suspended_system(const Read& read) {
  for (const std::int64_t page : {4096, 8192, 16384, 65536}) {
    const std::string magic = read(page - 10);
    for (const std::string_view signature : {"S1SUSPEND", "S2SUSPEND", "ULSUSPEND", "LINHIB0001"}) {
      if (magic.starts_with(signature)) return true;
    }
  }
  return false;
}

bool is_hibernated_device(guestfs_h* g, const FileSystem& fs) {
  if (fs.type == "swsuspend") return true;
  if (fs.type != "swap" && fs.type != "unknown" && !fs.type.empty()) return false;
  return holds_suspended_system([&](std::int64_t offset) {
    std::size_t size = 0;
    const CString bytes(guestfs_pread_device(g, fs.device.c_str(), 10, offset, &size));
    return bytes ? std::string(bytes.get(), size) : std::string();
  });
}

/// Opening a FIFO or a device of the guest would hang the appliance.
bool is_regular(const struct guestfs_statns& info) { return (static_cast<unsigned>(info.st_mode) & 0170000U) == 0100000U; }

bool is_hibernated_file(guestfs_h* g, const std::string& path) {
  const StatPtr info(guestfs_statns(g, path.c_str()));
  if (!info || !is_regular(*info)) return false;
  return holds_suspended_system([&](std::int64_t offset) {
    std::size_t size = 0;
    const CString bytes(guestfs_pread(g, path.c_str(), 10, offset, &size));
    return bytes ? std::string(bytes.get(), size) : std::string();
  });
}

bool can_hold_root(const FileSystem& fs) {
  return fs.type == "ext2" || fs.type == "ext3" || fs.type == "ext4" || fs.type == "xfs" || fs.type == "btrfs";
}

bool is_there(guestfs_h* g, const char* path) {
  const StatPtr info(guestfs_lstatns(g, path));
  return static_cast<bool>(info);
}

/// A file system is mounted at /. Links count: their targets may lie on another file system.
bool looks_like_root(guestfs_h* g) {
  const auto any = [g](const std::vector<const char*>& paths) {
    return std::any_of(paths.begin(), paths.end(), [g](const char* path) { return is_there(g, path); });
  };
  return any({"/etc/os-release", "/usr/lib/os-release"}) &&
         any({"/etc/fstab", "/sbin/init", "/usr/sbin/init", "/usr/lib/systemd/systemd", "/lib/systemd/systemd"});
}

Result<std::vector<MountEntry>> read_fstab(guestfs_h* g) {
  const StatPtr info(guestfs_statns(g, "/etc/fstab"));
  if (!info) return std::vector<MountEntry>();
  if (!is_regular(*info)) return fail(Errc::failed, "cannot read /etc/fstab: not a regular file");
  if (info->st_size < 0 || static_cast<std::uint64_t>(info->st_size) > max_fstab) return fail(Errc::failed, "/etc/fstab is too large");
  std::size_t size = 0;
  const CString text(guestfs_read_file(g, "/etc/fstab", &size));
  if (!text) return last_error(g, "read", "/etc/fstab");
  return parse_fstab(std::string_view(text.get(), size));
}

/// A subvolume that is mounted at / is marked as read-only, as snapshots are.
bool is_read_only_subvolume(guestfs_h* g) {
  const Strings properties(guestfs_btrfs_subvolume_show(g, "/"));
  const auto pairs = to_pairs(properties);
  return std::any_of(pairs.begin(), pairs.end(), [](const auto& pair) {
    return pair.first == "Flags" && pair.second.find("readonly") != std::string::npos;
  });
}

/// What a file system that is mounted at / says of itself. A table that cannot be read is not asked here.
RootCandidate look_at_root(guestfs_h* g, const FileSystem& fs) {
  RootCandidate candidate{fs, fs.type == "btrfs" && is_read_only_subvolume(g), {}};
  if (auto fstab = read_fstab(g)) candidate.fstab = std::move(*fstab);
  return candidate;
}

Result<FileSystem> look_for_root(guestfs_h* g, const std::vector<FileSystem>& all) {
  std::vector<RootCandidate> candidates;
  std::string trouble;
  for (const FileSystem& fs : all) {
    if (!can_hold_root(fs)) continue;
    // There may be hundreds of snapshots.
    if (!fs.is_default_subvolume() && is_snapshot_path(fs.subvolume)) continue;
    if (guestfs_mount_ro(g, fs.device.c_str(), "/") == -1) {
      trouble = last_error(g, "mount", fs.device).message;
      continue;
    }
    if (looks_like_root(g)) candidates.push_back(look_at_root(g, fs));
    VMPATCH_CHECK(check(g, guestfs_umount_all(g), "unmount", fs.device));
  }
  auto root = choose_root(candidates);
  if (!root && root.error().code == Errc::not_found) return no_root(all, trouble);
  return root;
}

/// By the disk that holds it; a volume over several disks is writable when all of them are.
bool is_writable(const ApplianceOptions& options, const std::string& device) {
  if (!options.write) return false;
  for (std::size_t i = 0; i < options.disks.size() && i < 26; ++i) {
    if (device.starts_with(fmt::format("/dev/sd{}", static_cast<char>('a' + i)))) return !options.disks[i].read_only;
  }
  return std::none_of(options.disks.begin(), options.disks.end(), [](const GuestDisk& disk) { return disk.read_only; });
}

}  // namespace

Result<Found> find_root(guestfs_h* g, const ApplianceOptions& options) {
  Found found;
  if (options.payload) {
    const Strings devices(guestfs_list_devices(g));
    const auto names = to_vector(devices);
    if (names.size() != options.disks.size() + 1) return fail(Errc::failed, "the appliance shows {} disks instead of {}", names.size(), options.disks.size() + 1);
    found.payload_device = names.back();
  }
  VMPATCH_TRY(const auto all, list_file_systems(g, found.payload_device));
  found.hibernated = std::any_of(all.begin(), all.end(), [g](const FileSystem& fs) { return is_hibernated_device(g, fs); });
  VMPATCH_TRY(const FileSystem root, look_for_root(g, all));
  VMPATCH_CHECK(check(g, guestfs_mount_ro(g, root.device.c_str(), "/"), "mount", root.device));
  VMPATCH_TRY(const auto fstab, read_fstab(g));
  for (const MountEntry& entry : fstab) {
    if (entry.type != "swap" || !entry.what.starts_with('/') || entry.what.starts_with("/dev/")) continue;
    found.hibernated = found.hibernated || is_hibernated_file(g, entry.what);
  }
  VMPATCH_CHECK(check(g, guestfs_umount_all(g), "unmount", root.device));
  if (found.hibernated && options.write) {
    return fail(Errc::refused, "the guest on {} is hibernated; start it, shut it down and try again", root.device);
  }
  VMPATCH_TRY(auto mounts, plan_mounts(root, fstab, all));
  for (PlannedMount& mount : mounts) {
    const bool writable = !mount.blocked && is_writable(options, mount.file_system.block_device());
    found.mounts.push_back({std::move(mount), writable});
  }
  return found;
}

Result<std::unique_ptr<WritableGuest>> open(const ApplianceOptions& options) {
  VMPATCH_TRY(Handle handle, launch(options));
  VMPATCH_TRY(Found found, find_root(handle.get(), options));
  auto guest = std::make_unique<ApplianceGuest>(std::move(handle), std::move(found.mounts), found.payload_device, found.hibernated);
  VMPATCH_CHECK(guest->mount_all());
  return std::unique_ptr<WritableGuest>(std::move(guest));
}

}  // namespace vmpatch::guest::guestfs
