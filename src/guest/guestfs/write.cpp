#include "guest/guestfs/appliance_guest.hpp"
#include "guest/guestfs/scratch.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::guestfs {

Result<void> ApplianceGuest::make_dirs(const std::string& path) {
  VMPATCH_CHECK(check_open(path));
  return check(g(), guestfs_mkdir_p(g(), path.c_str()), "make folder", path);
}

Result<void> ApplianceGuest::remove(const std::string& path) {
  VMPATCH_CHECK(check_open(path));
  return check(g(), guestfs_rm_rf(g(), path.c_str()), "remove", path);
}

Result<void> ApplianceGuest::symlink(const std::string& target, const std::string& path) {
  VMPATCH_CHECK(check_open(path));
  // ln -sf would put the link into a folder that the old link points to.
  const auto info = lstat(path);
  if (info && info->kind == FileKind::directory) return fail(Errc::failed, "cannot make link {}: a folder is in its place", escape_untrusted(path));
  if (info) VMPATCH_CHECK(check(g(), guestfs_rm(g(), path.c_str()), "replace", path));
  return check(g(), guestfs_ln_s(g(), target.c_str(), path.c_str()), "make link", path);
}

Result<void> ApplianceGuest::rename(const std::string& from, const std::string& to) {
  VMPATCH_CHECK(check_open(from));
  VMPATCH_CHECK(check_open(to));
  return check(g(), guestfs_rename(g(), from.c_str(), to.c_str()), "rename", from);
}

Result<void> ApplianceGuest::chmod(const std::string& path, unsigned mode) {
  VMPATCH_CHECK(check_open(path));
  return check(g(), guestfs_chmod(g(), static_cast<int>(mode), path.c_str()), "change the mode of", path);
}

Result<void> ApplianceGuest::chown(const std::string& path, std::uint32_t uid, std::uint32_t gid) {
  VMPATCH_CHECK(check_open(path));
  return check(g(), guestfs_chown(g(), static_cast<int>(uid), static_cast<int>(gid), path.c_str()), "change the owner of", path);
}

Result<void> ApplianceGuest::unpack_tar(const std::string& payload_name, const std::string& dir) {
  if (payload_name.empty() || payload_name.find('/') != std::string::npos || payload_name.starts_with('.')) {
    return fail(Errc::failed, "{} is no payload's name", escape_untrusted(payload_name));
  }
  const bool before = payloads_mounted_;
  VMPATCH_TRY(const std::string folder, mount_payloads());
  // The guest's own tar, in the guest's root: the appliance's would follow the guest's absolute links into the appliance.
  const auto result = command({"tar", "--numeric-owner", "-xpf", folder + "/" + payload_name, "-C", dir}, {}, Seconds(1800));
  if (!before) VMPATCH_CHECK(unmount_payloads());
  if (!result) return result.error();
  if (result->exit_code == 0) return {};
  return fail(Errc::failed, "cannot unpack {} into {}: tar ended with exit code {}: {}", escape_untrusted(payload_name),
              escape_untrusted(dir), result->exit_code, escape_untrusted(trim(result->output).substr(0, 1000)));
}

}  // namespace vmpatch::guest::guestfs
