// What was built, and whether it is still that.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "guest/worker/appliance_folder.hpp"
#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::guest::worker {
namespace {

constexpr std::array files{"kernel", "initrd", "root"};
constexpr const char* record_name = "record.json";
constexpr const char* marker = "README.fixed";  ///< by which libguestfs knows such a folder
constexpr std::uint64_t largest = 64ULL << 30U;

struct Opened {
  UniqueFd fd;
  struct stat info {};
};

/// Only what is ours and nobody else's to write.
Result<Opened> open_own(const fs::path& path) {
  Opened file;
  file.fd.reset(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.fd || ::fstat(file.fd.get(), &file.info) != 0) return errno_error(errno, path.string());
  if (S_ISREG(file.info.st_mode) && file.info.st_uid == ::geteuid() && (file.info.st_mode & 0022U) == 0 && file.info.st_nlink == 1) return file;
  return fail(Errc::untrusted, "{} is not a file that only this user can write", path.string());
}

std::int64_t nanoseconds(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

/// ctime tells every change, and nobody but the kernel sets it.
Json touched(const struct stat& info) {
  return {{"inode", info.st_ino}, {"size", info.st_size}, {"mtime", nanoseconds(info.st_mtim)}, {"ctime", nanoseconds(info.st_ctim)}};
}

ApplianceState compare(const fs::path& path, const Json& record) {
  const auto file = open_own(path);
  if (!file || !record.is_object()) return ApplianceState::changed;
  if (record.value("touched", Json()) == touched(file->info)) return ApplianceState::good;
  const auto digest = sha256_fd(file->fd.get(), largest);
  return digest && record.value("sha256", Json()) == digest->hex() ? ApplianceState::touched : ApplianceState::changed;
}

Result<void> make_own(const fs::path& path, mode_t mode) {
  // The builder's account has made it; nothing runs as that any more.
  if (::lchown(path.c_str(), ::geteuid(), ::getegid()) != 0 || ::chmod(path.c_str(), mode) != 0) return errno_error(errno, path.string());
  return {};
}

}  // namespace

ApplianceState check_appliance(const fs::path& folder, const std::string& key) {
  struct stat info {};
  if (::lstat(folder.c_str(), &info) != 0) return ApplianceState::missing;
  if (!S_ISDIR(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 0022U) != 0) return ApplianceState::changed;
  if (!open_own(folder / record_name)) return ApplianceState::changed;
  const auto text = read_file(folder / record_name, 64U << 10U);
  const auto record = text ? parse_json(*text, record_name) : Result<Json>(text.error());
  if (!record || !record->is_object()) return ApplianceState::changed;
  if (record->value("key", Json()) != key) return ApplianceState::outdated;
  const Json recorded = record->value("files", Json::object());
  auto found = open_own(folder / marker) ? ApplianceState::good : ApplianceState::changed;
  for (const char* file : files) {
    const auto state = compare(folder / file, recorded.is_object() ? recorded.value(file, Json()) : Json());
    if (state == ApplianceState::changed) return state;
    if (state == ApplianceState::touched && found == ApplianceState::good) found = state;
  }
  return found;
}

Result<void> seal_appliance(const fs::path& folder, const std::string& key) {
  VMPATCH_CHECK(make_own(folder, 0755));
  Json recorded = Json::object();
  for (const char* file : files) {
    VMPATCH_CHECK(make_own(folder / file, 0444));
    VMPATCH_TRY(const auto opened, open_own(folder / file));
    VMPATCH_TRY(const auto digest, sha256_fd(opened.fd.get(), largest));
    recorded[file] = {{"sha256", digest.hex()}, {"touched", touched(opened.info)}};
  }
  VMPATCH_CHECK(write_file_atomic(folder / marker, "Made by vm-patch out of this host's packages; may be removed at any time.\n", 0444));
  return write_file_atomic(folder / record_name, dump_json(Json{{"key", key}, {"files", recorded}}, 2) + "\n", 0444);
}

}  // namespace vmpatch::guest::worker
