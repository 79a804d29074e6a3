#include <set>

#include "guest/guestfs/appliance_guest.hpp"
#include "guest/guestfs/payload_name.hpp"
#include "guest/guestfs/scratch.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::guestfs {

Result<Place> ApplianceGuest::place_of(const std::string& path, LastLink last) {
  VMPATCH_CHECK(check_open(path));
  VMPATCH_TRY(auto place, find_place(*this, path, last));
  VMPATCH_CHECK(check_open(place.path));
  return place;
}

Result<void> ApplianceGuest::make_dirs(const std::string& path) {
  VMPATCH_TRY(const Place place, place_of(path, LastLink::follow));
  std::vector<std::string> fresh;
  for (auto folder = place.path; folder != "/"; folder = parent_folder(folder)) {
    const auto there = lstat(folder);
    if (there) break;
    if (there.error().code != Errc::not_found) return there.error();
    fresh.push_back(folder);
  }
  VMPATCH_CHECK(check(g(), guestfs_mkdir_p(g(), place.path.c_str()), "make folder", path));
  // Group, bits and ACL would be those that the folder above has for new ones.
  for (const auto& folder : fresh) {
    VMPATCH_CHECK(check(g(), guestfs_lchown(g(), 0, 0, folder.c_str()), "change the owner of", folder));
    VMPATCH_CHECK(drop_inherited_acl(folder));
    VMPATCH_CHECK(check(g(), guestfs_chmod(g(), 0755, folder.c_str()), "change the mode of", folder));
  }
  return {};
}

Result<void> ApplianceGuest::remove(const std::string& path) {
  VMPATCH_TRY(const Place place, place_of(path));
  if (!place.stat) return {};
  // libguestfs' daemon removes from outside of the guest's root: no link may be on the way, and there is none.
  VMPATCH_CHECK(check(g(), guestfs_rm_rf(g(), place.path.c_str()), "remove", path));
  const auto left = lstat(place.path);
  if (left) return fail(Errc::failed, "cannot remove {}: it is still there", escape_untrusted(path));
  return left.error().code == Errc::not_found ? Result<void>() : Result<void>(left.error());
}

Result<void> ApplianceGuest::symlink(const std::string& target, const std::string& path) {
  VMPATCH_TRY(const Place place, place_of(path));
  // ln -sf would put the link into a folder that the old link points to.
  if (place.stat && place.stat->kind == FileKind::directory) {
    return fail(Errc::failed, "cannot make link {}: a folder is in its place", escape_untrusted(path));
  }
  if (place.stat) VMPATCH_CHECK(check(g(), guestfs_rm(g(), place.path.c_str()), "replace", path));
  return check(g(), guestfs_ln_s(g(), target.c_str(), place.path.c_str()), "make link", path);
}

Result<void> ApplianceGuest::rename(const std::string& from, const std::string& to) {
  VMPATCH_TRY(const Place here, place_of(from));
  VMPATCH_TRY(const Place there, place_of(to));
  return check(g(), guestfs_rename(g(), here.path.c_str(), there.path.c_str()), "rename", from);
}

Result<void> ApplianceGuest::chmod(const std::string& path, unsigned mode) {
  VMPATCH_TRY(const Place place, place_of(path));
  if (place.stat && place.stat->kind == FileKind::symlink) return fail(Errc::failed, "cannot change the mode of {}: a symbolic link", escape_untrusted(path));
  return check(g(), guestfs_chmod(g(), static_cast<int>(mode), place.path.c_str()), "change the mode of", path);
}

Result<void> ApplianceGuest::chown(const std::string& path, std::uint32_t uid, std::uint32_t gid) {
  VMPATCH_TRY(const Place place, place_of(path));
  return check(g(), guestfs_lchown(g(), static_cast<int>(uid), static_cast<int>(gid), place.path.c_str()), "change the owner of", path);
}

Result<bool> ApplianceGuest::is_acl_inherited(const std::string& dir, const std::vector<std::string>& members) {
  std::set<std::string> folders;
  for (const std::string& member : members) folders.insert(parent_folder(dir + "/" + member));
  for (const std::string& folder : folders) {
    const auto there = stat(folder);
    if (!there && there.error().code == Errc::not_found) continue;
    if (!there) return there.error();
    VMPATCH_TRY(const Place place, place_of(folder, LastLink::follow));
    VMPATCH_TRY(const auto attributes, extended_attributes(place.path));
    if (attributes.contains("system.posix_acl_default")) return true;
  }
  return false;
}

Result<void> ApplianceGuest::unpack_tar(const std::string& payload_name, const std::string& dir, const std::vector<std::string>& members) {
  VMPATCH_CHECK(check_payload_name(payload_name));
  VMPATCH_TRY(const Place place, place_of(dir, LastLink::follow));
  VMPATCH_TRY(const auto before, attributes_of(place.path, members));
  VMPATCH_TRY(const bool acl_inherited, is_acl_inherited(place.path, members));
  const bool mounted = payloads_mounted_;
  VMPATCH_CHECK(mount_payloads());
  VMPATCH_CHECK(run_tar(payload_name, place.path));
  if (!mounted) VMPATCH_CHECK(unmount_payloads());
  for (const auto& [path, kept] : before.files) {
    const auto now = lstat(path);
    if (now && now->kind == FileKind::regular) VMPATCH_CHECK(pass_on(kept, path, now->uid, now->gid, now->mode));
  }
  if (!acl_inherited) return {};
  for (const std::string& path : before.plain) {
    const auto now = lstat(path);
    if (now && now->kind != FileKind::symlink) VMPATCH_CHECK(pass_on({now->uid, now->gid, {}}, path, now->uid, now->gid, now->mode));
  }
  return {};
}

Result<void> ApplianceGuest::run_tar(const std::string& payload_name, const std::string& dir) {
  // The guest's own tar, in the guest's root: the appliance's would follow the guest's absolute links into the appliance. Root's link to
  // a folder (/lib -> usr/lib) is that folder; by default tar would put a new one in its place.
  const auto file = std::string(payload_folder) + "/" + payload_name;
  VMPATCH_TRY(const auto result, command({"tar", "--numeric-owner", "--keep-directory-symlink", "-xpf", file, "-C", dir}, {}, Seconds(1800)));
  if (result.exit_code == 0) return {};
  return fail(Errc::failed, "cannot unpack {} into {}: tar ended with exit code {}: {}", escape_untrusted(payload_name),
              escape_untrusted(dir), result.exit_code, escape_untrusted(trim(result.output).substr(0, 1000)));
}

}  // namespace vmpatch::guest::guestfs
