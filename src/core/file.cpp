#include "vmpatch/core/file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <system_error>

#include "vmpatch/core/atomic_output.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/uuid.hpp"

namespace vmpatch {
namespace {

Error cannot(std::string_view verb, const fs::path& path, int err) {
  return errno_error(err, fmt::format("cannot {} {}", verb, path.string()));
}

fs::path folder_of(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

/// `next` reads into a buffer at an offset, as pread does.
template <class Next>
Result<std::string> read_whole(std::uint64_t max_bytes, std::string_view name, Next next) {
  std::string content;
  constexpr std::size_t step = 64U << 10U;
  for (;;) {
    const std::size_t have = content.size();
    content.resize(have + step);
    const ssize_t got = next(content.data() + have, step, static_cast<off_t>(have));
    const int err = errno;
    content.resize(have + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got < 0 && err == EINTR) continue;
    if (got < 0) return errno_error(err, fmt::format("cannot read {}", name));
    if (got == 0) return content;
    if (content.size() > max_bytes) return fail(Errc::failed, "{} is larger than {} bytes", name, max_bytes);
  }
}

/// Content and mode of a new file `name` in `dir`, durable when this returns; gone again when it fails.
Result<void> fill_new_file(int dir, const fs::path& folder, const std::string& name, std::string_view content,
                           mode_t mode) {
  const fs::path path = folder / name;
  const UniqueFd fd(::openat(dir, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return cannot("create", path, errno);
  Result<void> done = write_all(fd.get(), content);
  // The umask does not apply: the caller names the mode that the file shall have.
  if (done && ::fchmod(fd.get(), mode) != 0) done = cannot("set the mode of", path, errno);
  if (done && ::fsync(fd.get()) != 0) done = cannot("sync", path, errno);
  if (!done) {
    const Error error = done.error().in(path.string());
    ::unlinkat(dir, name.c_str(), 0);
    return error;
  }
  return done;
}

Result<UniqueFd> open_folder(const fs::path& folder) {
  UniqueFd dir(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return cannot("open folder", folder, errno);
  return dir;
}

/// mkdir -p under the umask; true when the last folder is new.
Result<void> make_missing(const fs::path& path, mode_t mode, Lifetime lifetime, bool& created) {
  created = false;
  for (int attempt = 0;; ++attempt) {
    if (::mkdir(path.c_str(), mode) == 0) {
      created = true;
      return lifetime == Lifetime::durable ? fsync_new_entry(folder_of(path)) : Result<void>();
    }
    const int err = errno;
    if (err == EEXIST) break;
    if (err != ENOENT || attempt > 0 || !path.has_parent_path() || path.parent_path() == path) {
      return cannot("create folder", path, err);
    }
    bool ignored = false;
    VMPATCH_CHECK(make_missing(path.parent_path(), 0755, lifetime, ignored));
  }
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return cannot("look at", path, errno);
  if (!S_ISDIR(info.st_mode)) return cannot("create folder", path, ENOTDIR);
  return {};
}

}  // namespace

Result<std::string> read_file(const fs::path& path, std::uint64_t max_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) return cannot("open", path, errno);
  // Not pread: /dev/stdin and other pipes are fine here.
  return read_whole(max_bytes, path.string(),
                    [&](char* to, std::size_t size, off_t) { return ::read(fd.get(), to, size); });
}

Result<std::string> read_fd(int fd, std::uint64_t max_bytes, std::string_view name) {
  return read_whole(max_bytes, name, [&](char* to, std::size_t size, off_t at) { return ::pread(fd, to, size, at); });
}

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno_error(errno, "cannot write");
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Result<void> write_file_atomic(const fs::path& path, std::string_view content, mode_t mode) {
  if (!path.has_filename()) return fail(Errc::failed, "cannot write {}: it names a folder", path.string());
  const fs::path folder = folder_of(path);
  VMPATCH_TRY(const UniqueFd dir, open_folder(folder));
  // A name like /dev/null must not become a file.
  struct stat info {};
  const bool exists = ::fstatat(dir.get(), path.filename().c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
  if (exists && !S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode)) {
    return fail(Errc::refused, "cannot write {}: it exists and is no regular file; name another", path.string());
  }
  const std::string temporary = ".vm-patch-" + random_uuid() + ".tmp";
  VMPATCH_CHECK(fill_new_file(dir.get(), folder, temporary, content, mode));
  if (::renameat(dir.get(), temporary.c_str(), dir.get(), path.filename().c_str()) != 0) {
    const int err = errno;
    ::unlinkat(dir.get(), temporary.c_str(), 0);
    return cannot("replace", path, err);
  }
  if (::fsync(dir.get()) != 0) return cannot("sync folder", folder, errno);
  return {};
}

Result<void> create_file(const fs::path& path, std::string_view content, mode_t mode) {
  if (!path.has_filename()) return fail(Errc::failed, "cannot create {}: it names a folder", path.string());
  VMPATCH_TRY(auto output, AtomicOutput::create_new(path));
  if (const auto done = write_all(output.fd(), content); !done) return done.error().in(path.string());
  return output.commit(mode);
}

Result<void> make_dirs(const fs::path& path, mode_t mode, Lifetime lifetime) {
  const fs::path folder = path.has_filename() ? path : path.parent_path();  // "a/b/" is "a/b"
  if (folder.empty()) return {};
  bool created = false;
  VMPATCH_CHECK(make_missing(folder, mode, lifetime, created));
  if (!created) return {};
  const UniqueFd dir(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!dir || ::fchmod(dir.get(), mode) != 0) return cannot("set the mode of", folder, errno);
  if (lifetime == Lifetime::durable && ::fsync(dir.get()) != 0) return cannot("sync folder", folder, errno);
  return {};
}

Result<void> fsync_dir(const fs::path& path) {
  VMPATCH_TRY(const UniqueFd dir, open_folder(path));
  if (::fsync(dir.get()) != 0) return cannot("sync folder", path, errno);
  return {};
}

Result<void> fsync_new_entry(const fs::path& folder) {
  if (::faccessat(AT_FDCWD, folder.c_str(), R_OK, AT_EACCESS) != 0 && errno == EACCES) return {};
  return fsync_dir(folder);
}

Result<void> remove_tree(const fs::path& path) {
  // libstdc++ 12 walks with openat() and O_NOFOLLOW, so a folder that turns into a symlink meanwhile is not entered.
  std::error_code error;
  fs::remove_all(path, error);
  if (error && error != std::errc::no_such_file_or_directory) return cannot("remove", path, error.value());
  return {};
}

Result<std::uint64_t> free_space(const fs::path& path) {
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) != 0) return cannot("ask for free space of", path, errno);
  return std::uint64_t{info.f_bavail} * info.f_frsize;
}

Result<UniqueFd> lock_file(const fs::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return cannot("open lock file", path, errno);
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) {
      return fail(Errc::busy, "another process holds the lock {}; wait for it to end", path.string());
    }
    return cannot("lock", path, errno);
  }
  return fd;
}

}  // namespace vmpatch
