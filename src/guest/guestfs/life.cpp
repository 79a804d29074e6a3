// Mounting, unmounting, and the end.
#include "guest/guestfs/appliance_guest.hpp"
#include "guest/guestfs/scratch.hpp"
#include "guest/guestfs/script.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::guestfs {

ApplianceGuest::ApplianceGuest(Handle handle, std::vector<Mount> mounts, std::string payload_device, bool hibernated)
    : handle_(std::move(handle)), mounts_(std::move(mounts)), payload_device_(std::move(payload_device)), hibernated_(hibernated) {}

std::string ApplianceGuest::access() const {
  return (writable() ? "appliance" : "appliance, read-only on a throw-away overlay") + notes_.text();
}

Result<void> ApplianceGuest::mount_all() {
  notes_ = {};
  shut_.clear();
  places_ = {};
  for (const Mount& mount : mounts_) VMPATCH_CHECK(mount_one(mount));
  mounted_ = true;
  return writable() ? mount_run() : Result<void>();
}

Result<void> ApplianceGuest::mount_one(const Mount& mount) {
  const auto& [where, file_system, blocked, bound_from, left_out] = mount.planned;
  if (left_out && writable()) return {};  // programs of the guest need the folder
  const bool vital = is_vital(where);
  std::string real = where;
  if (where != "/") {
    // The daemon would follow the guest's links into the appliance.
    const CString path(guestfs_realpath(g(), where.c_str()));
    if (!path || (bound_from.empty() && !blocked && guestfs_is_dir(g(), path.get()) != 1)) {
      if (vital) {
        return fail(Errc::failed, "there is no directory {} to mount {} on; make it in the guest", escape_untrusted(where),
                    escape_untrusted(file_system.device));
      }
      notes_.add(where, blocked ? blocked->message : "there is no such directory");
      if (blocked) shut_.insert_or_assign(where, *blocked);  // systemd makes missing mount points
      return {};
    }
    real = path.get();
  }
  if (blocked) return shut(mount.planned, real, *blocked);
  auto done = bound_from.empty() ? mount_device(mount, real) : bind(bound_from, where, real);
  if (done) return {};
  return vital ? done : shut(mount.planned, real, std::move(done).error());
}

Result<void> ApplianceGuest::mount_device(const Mount& mount, const std::string& real) {
  const auto& [where, file_system, blocked, bound_from, left_out] = mount.planned;
  if (!places_.allows(real)) {
    return fail(Errc::refused, "fstab: what is seen at {} depends on the order of bind mounts and what lies below them; patch the machine while it runs",
                escape_untrusted(where));
  }
  const char* options = mount.writable ? "" : "ro";
  if (guestfs_mount_options(g(), options, file_system.device.c_str(), real.c_str()) == 0) {
    if (where != "/") places_.add(real);
    return {};
  }
  Error why = last_error(g(), fmt::format("mount {} at", escape_untrusted(file_system.device)), where);
  why.code = Errc::failed;
  return why;
}

/// libguestfs mounts devices only; mount(8) in the appliance is given real paths, below the folder where its daemon has the guest.
Result<void> ApplianceGuest::bind(const std::string& from, const std::string& where, const std::string& real) {
  const CString source(guestfs_realpath(g(), from.c_str()));
  const bool fits = source && (guestfs_is_dir(g(), source.get()) == 1) == (guestfs_is_dir(g(), real.c_str()) == 1) && check_open(source.get());
  if (!fits) {
    return fail(Errc::refused, "fstab: {} cannot be bound to {}, because one of them is not there or not mounted; correct the line, or patch the machine while it runs",
                escape_untrusted(from), escape_untrusted(where));
  }
  if (real == source.get()) return {};
  if (!places_.allows_bind(source.get(), real)) {
    return fail(Errc::refused, "fstab: what is seen at {} depends on the order of bind mounts and what lies below them; patch the machine while it runs",
                escape_untrusted(where));
  }
  VMPATCH_CHECK(bind_path(std::string(sysroot) + source.get(), real));
  places_.add_bind(source.get(), real);
  return {};
}

Result<void> ApplianceGuest::bind_path(const std::string& from, const std::string& real) {
  std::string script = fmt::format("mount --bind {} {} 2>&1 && echo bound", quote(from), quote(std::string(sysroot) + real));
  char* argv[] = {script.data(), nullptr};
  const CString output(guestfs_debug(g(), "sh", argv));
  if (!output) return last_error(g(), fmt::format("bind {} to", escape_untrusted(from)), real);
  const std::string_view text = trim(output.get());
  if (text == "bound") return {};
  return fail(Errc::failed, "cannot bind {} to {}: {}", escape_untrusted(from), escape_untrusted(real), escape_untrusted(text.substr(0, 200)));
}

Result<void> ApplianceGuest::mount_memory(const std::string& where, const char* options) {
  // tmpfs ignores its source, but libguestfs wants a device there.
  const std::string& device = mounts_.front().planned.file_system.block_device();
  return check(g(), guestfs_mount_vfs(g(), options, "tmpfs", device.c_str(), where.c_str()), "mount memory at", where);
}

Result<void> ApplianceGuest::shut(const PlannedMount& planned, const std::string& real, Error why) {
  const bool bind = !planned.bound_from.empty();
  if (bind && writable()) {
    notes_.add(planned.where, why.message);
    return {};
  }
  std::vector<std::string> places = places_.elsewhere(real);
  places.push_back(real);
  for (const std::string& place : places) {
    if (guestfs_is_dir(g(), place.c_str()) == 1) {
      VMPATCH_CHECK(mount_memory(place, "ro,mode=0755"));
    } else if (guestfs_exists(g(), place.c_str()) == 1) {
      VMPATCH_CHECK(bind_path("/dev/null", place));
    }
    shut_.insert_or_assign(place, why);
  }
  if (!(planned.left_out && why.code == Errc::not_found)) notes_.add(planned.where, why.message);
  shut_.insert_or_assign(planned.where, std::move(why));
  return {};
}

Result<void> ApplianceGuest::check_open(const std::string& path) const {
  for (const auto& [where, why] : shut_) {
    if (path.starts_with(where) && (path.size() == where.size() || path[where.size()] == '/')) return why;
  }
  return {};
}

Result<void> ApplianceGuest::mount_run() {
  const auto info = lstat(run_folder);
  if (!info && info.error().code != Errc::not_found) return info.error();
  if (info && info->kind != FileKind::directory) {
    // Through a link the memory would be mounted elsewhere, and what belongs there would reach the disk.
    return fail(Errc::refused, "the guest's {} is no folder; make it one in the guest", run_folder);
  }
  if (!info) {
    VMPATCH_CHECK(check(g(), guestfs_mkdir(g(), run_folder), "make", run_folder));
    run_created_ = true;
  }
  VMPATCH_CHECK(mount_memory(run_folder, "mode=0755"));
  return check(g(), guestfs_mkdir_mode(g(), scratch_folder, 0700), "make", scratch_folder);
}

Result<void> ApplianceGuest::unmount_all() {
  if (!mounted_) return {};
  VMPATCH_CHECK(unmount_payloads());
  if (writable()) {
    VMPATCH_CHECK(check(g(), guestfs_umount(g(), run_folder), "unmount the guest's", run_folder));
    if (run_created_) {
      VMPATCH_CHECK(check(g(), guestfs_rmdir(g(), run_folder), "remove", run_folder));
      run_created_ = false;
    }
  }
  VMPATCH_CHECK(check(g(), guestfs_umount_all(g()), "unmount the guest's file systems"));
  mounted_ = false;
  return {};
}

Result<void> ApplianceGuest::finish() {
  VMPATCH_CHECK(unmount_all());
  VMPATCH_CHECK(check(g(), guestfs_sync(g()), "write back the guest's disks"));
  return check(g(), guestfs_shutdown(g()), "shut down the appliance");
}

Result<std::string> ApplianceGuest::mount_payloads() {
  if (!writable() || !mounted_) return fail(Errc::failed, "payloads are mounted only in a guest that is open for writing");
  if (payload_device_.empty()) return fail(Errc::failed, "the appliance has no payload disk");
  if (!payloads_mounted_) {
    VMPATCH_CHECK(check(g(), guestfs_mkdir_p(g(), payload_folder), "make", payload_folder));
    VMPATCH_CHECK(check(g(), guestfs_mount_vfs(g(), "ro", "iso9660", payload_device_.c_str(), payload_folder),
                        "mount the payload disk at", payload_folder));
    payloads_mounted_ = true;
  }
  return std::string(payload_folder);
}

Result<void> ApplianceGuest::unmount_payloads() {
  if (!payloads_mounted_) return {};
  VMPATCH_CHECK(check(g(), guestfs_umount(g(), payload_folder), "unmount the payload disk from", payload_folder));
  payloads_mounted_ = false;
  return check(g(), guestfs_rmdir(g(), payload_folder), "remove", payload_folder);
}

Result<std::uint64_t> ApplianceGuest::free_space(const std::string& path) {
  const StatvfsPtr info(guestfs_statvfs(g(), path.c_str()));
  if (!info) return last_error(g(), "measure the free space at", path);
  if (info->bavail < 0 || info->frsize < 0) return fail(Errc::failed, "free space of {} is out of range", escape_untrusted(path));
  return static_cast<std::uint64_t>(info->bavail) * static_cast<std::uint64_t>(info->frsize);
}

}  // namespace vmpatch::guest::guestfs
