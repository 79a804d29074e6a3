// Whether the file systems are whole.
#include <algorithm>

#include "guest/guestfs/appliance_guest.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::guestfs {
namespace {

bool is_plain_device(std::string_view device) {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.+-";
  return device.starts_with("/dev/") && device.find_first_not_of(allowed) == std::string::npos;
}

/// libguestfs 1.48 has no call for e2fsck -n: e2fsck() either repairs or wants a terminal, fsck() is fsck -a. The debug call
/// is in every build of its daemon; if one day it is not, this fails and nothing passes unchecked. It does not translate
/// names of disks to the kernel's, which may have found them in another order; what guestfs_mountable_device answers is
/// the kernel's, in 1.48; the UUID, where there is one, proves it.
Result<void> check_ext(guestfs_h* g, const std::string& device) {
  const CString kernel_name(guestfs_mountable_device(g, device.c_str()));
  const CString uuid(guestfs_vfs_uuid(g, device.c_str()));
  if (!kernel_name || !uuid) return last_error(g, "check", device);
  const std::string_view name = kernel_name.get();
  if (!is_plain_device(name)) return fail(Errc::failed, "cannot check {}: unusual device name", escape_untrusted(name));
  std::string script = fmt::format("blkid -c /dev/null -o value -s UUID {}; e2fsck -fn {} 2>&1; echo exit-code=$?", name, name);
  char* argv[] = {script.data(), nullptr};
  const CString output(guestfs_debug(g, "sh", argv));
  if (!output) return last_error(g, "check", device);
  std::string_view text = trim(output.get());
  if (!text.starts_with(uuid.get())) return fail(Errc::failed, "cannot check {}: it is not {} of the appliance's kernel", device, name);
  text = trim(text.substr(std::string_view(uuid.get()).size()));
  if (text.ends_with("exit-code=0")) return {};
  constexpr std::size_t longest = 2000;
  return fail(Errc::failed, "e2fsck -fn {}: not clean: {}", device, escape_untrusted(text.substr(0, longest)));
}

Result<void> check_xfs(guestfs_h* g, const std::string& device) {
  struct guestfs_xfs_repair_argv options {};
  options.bitmask = GUESTFS_XFS_REPAIR_NOMODIFY_BITMASK;
  options.nomodify = 1;
  const int status = guestfs_xfs_repair_argv(g, device.c_str(), &options);
  if (status == -1) return last_error(g, "check", device);
  return status == 0 ? Result<void>() : fail(Errc::failed, "xfs_repair -n {}: not clean: exit code {}", device, status);
}

}  // namespace

Result<void> ApplianceGuest::check_file_systems() {
  VMPATCH_CHECK(unmount_all());
  std::vector<std::string> done;
  for (const Mount& mount : mounts_) {
    const FileSystem& file_system = mount.planned.file_system;
    if (mount.planned.blocked) continue;
    const std::string& type = file_system.type;
    const std::string& name = file_system.block_device();
    if (std::find(done.begin(), done.end(), name) != done.end()) continue;  // subvolumes share theirs
    done.push_back(name);
    if (type.starts_with("ext")) {
      VMPATCH_CHECK(check_ext(g(), name));
    } else if (type == "xfs") {
      VMPATCH_CHECK(check_xfs(g(), name));
    } else if (type == "btrfs") {
      VMPATCH_CHECK(check(g(), guestfs_btrfs_fsck(g(), name.c_str(), -1), "check", name));
    }
  }
  return mount_all();
}

}  // namespace vmpatch::guest::guestfs
