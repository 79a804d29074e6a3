#include "vmpatch/reading/scratch.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <thread>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::reading {
namespace {

/// The folder's own lock; the end of the process gives it back, and no child inherits it. Without a value: held.
Result<std::optional<UniqueFd>> try_lock(const fs::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return errno_error(errno, path.string());
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return std::optional(std::move(fd));
  if (errno == EWOULDBLOCK) return std::optional<UniqueFd>();
  return errno_error(errno, path.string());
}

/// Between these two a new folder is made and locked, or one is found to be abandoned: a sweep never takes a folder that its
/// owner is just about to lock.
Result<UniqueFd> lock_place(const fs::path& place, int how) {
  UniqueFd fd(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return errno_error(errno, place.string());
  while (::flock(fd.get(), how) != 0) {
    if (errno != EINTR) return errno_error(errno, place.string());
  }
  return fd;
}

/// In a folder that all may write somebody else may have been there first.
Result<void> check_own(const fs::path& place) {
  struct stat status {};
  if (::lstat(place.c_str(), &status) != 0) return errno_error(errno, place.string());
  if (S_ISDIR(status.st_mode) && status.st_uid == ::geteuid() && (status.st_mode & 0022U) == 0) return {};
  return fail(Errc::refused, "{} is not a folder that only this user can write; remove it, or set XDG_RUNTIME_DIR", place.string());
}

Result<std::optional<UniqueFd>> try_lock_abandoned(const fs::path& place, const fs::path& path) {
  VMPATCH_TRY(const auto place_lock, lock_place(place, LOCK_EX));
  return try_lock(path);
}

bool is_still_there(const UniqueFd& fd, const fs::path& path) {
  struct stat held {};
  struct stat now {};
  return ::fstat(fd.get(), &held) == 0 && ::stat(path.c_str(), &now) == 0 && held.st_dev == now.st_dev &&
         held.st_ino == now.st_ino;
}

/// Without a value: somebody holds the folder, or removes it just now.
Result<std::optional<UniqueFd>> make_locked(const fs::path& place, const fs::path& path) {
  VMPATCH_TRY(const auto place_lock, lock_place(place, LOCK_SH));
  const auto made = make_dirs(path, 0711, Lifetime::scratch);
  if (!made && made.error().code == Errc::not_found) return std::optional<UniqueFd>();
  VMPATCH_CHECK(made);
  auto lock = try_lock(path);
  if (!lock && lock.error().code == Errc::not_found) return std::optional<UniqueFd>();
  if (lock && *lock && !is_still_there(**lock, path)) return std::optional<UniqueFd>();
  return lock;
}

}  // namespace

Result<Scratch> Scratch::make(const fs::path& place, const std::string& id) {
  VMPATCH_CHECK(make_dirs(place, 0711, Lifetime::scratch));
  VMPATCH_CHECK(check_own(place));
  const auto path = place / id;
  // A folder of this name that a killed process left may just be swept; it is gone soon.
  for (int attempt = 0; attempt < 50; ++attempt) {
    VMPATCH_TRY(auto lock, make_locked(place, path));
    if (lock) return Scratch(path, std::move(*lock));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return fail(Errc::busy, "{} is used by another process; wait for it to end", path.string());
}

Scratch& Scratch::operator=(Scratch&& other) noexcept {
  if (this != &other) {
    if (!path_.empty()) (void)remove_tree(path_);
    path_ = std::exchange(other.path_, {});
    lock_ = std::move(other.lock_);
  }
  return *this;
}

Scratch::~Scratch() {
  if (!path_.empty()) (void)remove_tree(path_);
}

Result<void> remove_abandoned_scratch(const fs::path& place) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(place, error)) {
    if (!entry.is_directory(error) || entry.is_symlink(error)) continue;
    auto lock = try_lock_abandoned(place, entry.path());
    if (!lock && lock.error().code == Errc::not_found) continue;
    if (!lock) return lock.error();
    if (*lock) VMPATCH_CHECK(remove_tree(entry.path()));
  }
  return {};
}

}  // namespace vmpatch::reading
