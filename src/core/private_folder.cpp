#include "vmpatch/core/private_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch {
namespace {

/// A folder of ours (or given to an unprivileged account), locked; empty when it is somebody else's, or still in use.
UniqueFd lock_own(const fs::path& folder) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return {};
  if (status.st_uid != ::geteuid() && !is_worker_account(status.st_uid)) return {};
  if ((status.st_mode & 0077U) != 0 || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return {};
  return fd;
}

/// What cannot be removed hinders nobody.
void remove_abandoned(const fs::path& place, const std::string& prefix) {
  std::error_code error;
  for (fs::directory_iterator entry(place, error), end; !error && entry != end; entry.increment(error)) {
    if (!entry->path().filename().native().starts_with(prefix)) continue;
    if (const UniqueFd lock = lock_own(entry->path())) static_cast<void>(remove_tree(entry->path()).has_value());
  }
}

}  // namespace

Result<std::unique_ptr<PrivateFolder>> PrivateFolder::make(const fs::path& place, const std::string& prefix) {
  remove_abandoned(place, prefix);
  // Another process may take the new folder for an abandoned one before it is locked.
  for (int attempt = 0; attempt < 5; ++attempt) {
    std::string pattern = (place / (prefix + "XXXXXX")).string();
    if (::mkdtemp(pattern.data()) == nullptr) return errno_error(errno, fmt::format("cannot make a folder like {}", pattern));
    UniqueFd lock = lock_own(pattern);
    std::error_code error;
    if (lock && fs::exists(pattern, error)) return std::unique_ptr<PrivateFolder>(new PrivateFolder(pattern, std::move(lock)));
  }
  return fail(Errc::busy, "cannot keep a folder in {}: another process removes it", place.string());
}

PrivateFolder::~PrivateFolder() { static_cast<void>(remove_tree(path_).has_value()); }

Result<UniqueFd> PrivateFolder::create(const std::string& name) const {
  const fs::path file = path_ / name;
  UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return errno_error(errno, file.string());
  return fd;
}

Result<void> PrivateFolder::write(const std::string& name, std::string_view content) const {
  VMPATCH_TRY(const UniqueFd fd, create(name));
  auto written = write_all(fd.get(), content);
  return written ? written : written.error().in((path_ / name).string());
}

Result<void> PrivateFolder::make_folder(const std::string& name) const {
  const fs::path folder = path_ / name;
  if (::mkdir(folder.c_str(), 0700) != 0) return errno_error(errno, folder.string());
  return {};
}

Result<void> PrivateFolder::give_to(const std::optional<Credentials>& account) const {
  if (!account) return {};
  std::error_code error;
  for (fs::recursive_directory_iterator entry(path_, error), end; !error && entry != end; entry.increment(error)) {
    if (::lchown(entry->path().c_str(), account->uid, account->gid) != 0) return errno_error(errno, entry->path().string());
  }
  if (error || ::lchown(path_.c_str(), account->uid, account->gid) != 0) return errno_error(errno, path_.string());
  return {};
}

}  // namespace vmpatch
