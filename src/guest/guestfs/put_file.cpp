// A file is made beside its place under a name that nobody can foretell, and renamed when it is whole.
#include <sys/mman.h>

#include <cerrno>

#include "guest/guestfs/appliance_guest.hpp"
#include "guest/guestfs/payload_name.hpp"
#include "guest/guestfs/scratch.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::guestfs {
namespace {

constexpr std::size_t max_in_one_message = 2U << 20U;  ///< see read.cpp
constexpr unsigned harmless = 0755;  ///< of a mode, where the file gets another owner or group

/// Takes a file away again unless it reached its place.
class Fresh {
 public:
  Fresh(guestfs_h* g, std::string path) : g_(g), path_(std::move(path)) {}
  Fresh(const Fresh&) = delete;
  Fresh& operator=(const Fresh&) = delete;
  ~Fresh() {
    if (!placed_) guestfs_rm_f(g_, path_.c_str());
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  Result<void> put(const std::string& place) {
    VMPATCH_CHECK(check(g_, guestfs_rename(g_, path_.c_str(), place.c_str()), "put in place", place));
    placed_ = true;
    return {};
  }

 private:
  guestfs_h* g_;
  std::string path_;
  bool placed_ = false;
};

}  // namespace

Result<void> ApplianceGuest::fill_with_bytes(const std::string& fresh, const std::string& bytes) {
  if (bytes.size() <= max_in_one_message) return check(g(), guestfs_write(g(), fresh.c_str(), bytes.data(), bytes.size()), "write", fresh);
  const UniqueFd memory(::memfd_create("guest-file", MFD_CLOEXEC));
  if (!memory) return errno_error(errno, "cannot make a memory file");
  VMPATCH_CHECK(write_all(memory.get(), bytes));
  return check(g(), guestfs_upload(g(), fmt::format("/proc/self/fd/{}", memory.get()).c_str(), fresh.c_str()), "write", fresh);
}

Result<void> ApplianceGuest::fill(const std::string& fresh, const FileContent& content) {
  if (content.payload.empty()) return fill_with_bytes(fresh, content.bytes);
  VMPATCH_CHECK(check_payload_name(content.payload));
  if (!payloads_mounted_) return fail(Errc::failed, "cannot write {}: the payload disk is not mounted", escape_untrusted(fresh));
  const std::string from = std::string(payload_folder) + "/" + content.payload;
  return check(g(), guestfs_cp(g(), from.c_str(), fresh.c_str()), "copy payload to", fresh);
}

Result<void> ApplianceGuest::dress(const std::string& fresh, const Place& old, const FileAttributes& attributes) {
  FileStat wanted;
  wanted.mode = 0644;
  const bool replaces = old.stat && old.stat->kind == FileKind::regular;
  if (replaces) wanted = *old.stat;
  const auto uid = attributes.uid.value_or(wanted.uid);
  const auto gid = attributes.gid.value_or(wanted.gid);
  Owned had{wanted.uid, wanted.gid, {}};
  if (replaces && had.is_others(uid, gid)) wanted.mode &= harmless;
  VMPATCH_CHECK(check(g(), guestfs_lchown(g(), static_cast<int>(uid), static_cast<int>(gid), fresh.c_str()), "change the owner of", fresh));
  if (replaces) {
    VMPATCH_TRY(had.attributes, extended_attributes(old.path));
  }
  return pass_on(had, fresh, uid, gid, attributes.mode.value_or(wanted.mode));
}

Result<void> ApplianceGuest::put_file(const std::string& path, const FileContent& content, const FileAttributes& attributes) {
  VMPATCH_TRY(const Place place, place_of(path));
  if (place.stat && place.stat->kind == FileKind::directory) {
    return fail(Errc::failed, "cannot write {}: a folder is in its place", escape_untrusted(path));
  }
  const std::string folder = parent_folder(place.path);
  const std::string pattern = (folder == "/" ? "" : folder) + "/.vm-patch-XXXXXX";
  struct guestfs_mktemp_argv options {};
  const CString made(guestfs_mktemp_argv(g(), pattern.c_str(), &options));  // mkstemp(3): exclusively, 0600
  if (!made) return last_error(g(), "make a file in", folder);
  Fresh fresh(g(), made.get());
  VMPATCH_CHECK(fill(fresh.path(), content));
  VMPATCH_CHECK(dress(fresh.path(), place, attributes));
  return fresh.put(place.path);
}

}  // namespace vmpatch::guest::guestfs
