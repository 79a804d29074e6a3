#include "vmpatch/core/atomic_output.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/uuid.hpp"

namespace vmpatch {
namespace {

/// What is to be written: either `direct`, or the regular file (there or not) at `path`.
struct Target {
  std::filesystem::path path;
  UniqueFd direct;
};

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.parent_path().empty() ? std::filesystem::path(".") : path.parent_path();
}

/// /dev/stdout and its like; may be a socket, which no path opens.
bool is_standard_output(const struct stat& info) {
  struct stat standard {};
  return ::fstat(STDOUT_FILENO, &standard) == 0 && standard.st_dev == info.st_dev && standard.st_ino == info.st_ino;
}

std::string_view kind_of(const struct stat& info) {
  if (S_ISDIR(info.st_mode)) return "a folder";
  if (S_ISBLK(info.st_mode)) return "a block device";
  return S_ISSOCK(info.st_mode) ? "a socket" : "no file that can be replaced";
}

Result<Target> find_missing(const std::filesystem::path& path, const std::string& what) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0) {
    return fail(Errc::refused, "{}: the symbolic link leads nowhere; remove it, or name the file that it should lead to", what);
  }
  return Target{path, {}};
}

Result<Target> find_target(const std::filesystem::path& path) {
  const std::string what = "write " + escape_untrusted(path.native());
  // The kernel follows links here, by its own rules for those of other users in /tmp; what it found cannot be swapped any more.
  const UniqueFd found(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!found && errno == ENOENT) return find_missing(path, what);
  struct stat info {};
  if (!found || ::fstat(found.get(), &info) != 0) return errno_error(errno, what);
  if (is_standard_output(info)) {
    UniqueFd standard(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
    if (!standard) return errno_error(errno, what);
    return Target{path, std::move(standard)};
  }
  const std::string handle = fmt::format("/proc/self/fd/{}", found.get());
  if (S_ISCHR(info.st_mode) || S_ISFIFO(info.st_mode)) {
    UniqueFd direct(::open(handle.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
    if (!direct) return errno_error(errno, what);
    return Target{path, std::move(direct)};
  }
  if (!S_ISREG(info.st_mode) || info.st_nlink == 0) {
    return fail(Errc::refused, "{}: it is {}; name a file", what, info.st_nlink == 0 ? "a deleted file" : kind_of(info));
  }
  std::error_code error;
  std::filesystem::path real = std::filesystem::read_symlink(handle, error);
  if (error) return errno_error(error.value(), what);
  return Target{std::move(real), {}};
}

}  // namespace

Result<AtomicOutput> AtomicOutput::create(const std::filesystem::path& path) {
  VMPATCH_TRY(Target target, find_target(path));
  if (target.direct) return AtomicOutput(target.path, {}, std::move(target.direct), false);
  return create_in_folder(target.path);
}

Result<AtomicOutput> AtomicOutput::create_new(const std::filesystem::path& path) {
  VMPATCH_TRY(AtomicOutput output, create_in_folder(path));
  output.must_be_new_ = true;
  return output;
}

Result<AtomicOutput> AtomicOutput::create_in_folder(const std::filesystem::path& path) {
  UniqueFd nameless(::open(folder_of(path).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (nameless) return AtomicOutput(path, {}, std::move(nameless), true);
  std::string pattern = (folder_of(path) / ("." + path.filename().string() + ".XXXXXX")).string();
  UniqueFd fd(::mkostemp(pattern.data(), O_CLOEXEC));
  if (!fd) return errno_error(errno, fmt::format("creating {}", escape_untrusted(path.native())));
  return AtomicOutput(path, pattern, std::move(fd), false);
}

AtomicOutput::AtomicOutput(AtomicOutput&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      fd_(std::move(other.fd_)),
      nameless_(other.nameless_),
      must_be_new_(other.must_be_new_) {
  other.temporary_.clear();
}

AtomicOutput::~AtomicOutput() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

/// The final one where it is free. A file without a name cannot take the place of another, so it gets a temporary one then.
Result<void> AtomicOutput::give_name() {
  const std::string handle = fmt::format("/proc/self/fd/{}", fd_.get());
  const auto link_as = [&](const std::filesystem::path& name) {
    return ::linkat(AT_FDCWD, handle.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
  };
  const std::filesystem::path temporary = folder_of(path_) / (".vm-patch-" + random_uuid() + ".tmp");
  const bool is_free = link_as(path_);
  if (!is_free && (errno != EEXIST || must_be_new_ || !link_as(temporary))) {
    return errno_error(errno, fmt::format("writing {}", escape_untrusted(path_.native())));
  }
  if (!is_free) temporary_ = temporary;
  nameless_ = false;
  return {};
}

/// The temporary file gets the final name unless something has it.
Result<void> AtomicOutput::take_free_name() {
  // Where the file system cannot do that (NFS), a second name; the first one goes then.
  const bool renamed = ::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) == 0;
  const bool can_rename = renamed || (errno != EINVAL && errno != ENOSYS);
  if (!renamed && (can_rename || ::link(temporary_.c_str(), path_.c_str()) != 0)) {
    return errno_error(errno, fmt::format("writing {}", escape_untrusted(path_.native())));
  }
  if (!renamed) ::unlink(temporary_.c_str());
  temporary_.clear();
  return {};
}

Result<void> AtomicOutput::commit(unsigned mode) {
  if (temporary_.empty() && !nameless_) return {};
  const auto what = fmt::format("writing {}", escape_untrusted(path_.native()));
  if (::fchmod(fd_.get(), mode) != 0 || ::fsync(fd_.get()) != 0) return errno_error(errno, what);
  if (nameless_) VMPATCH_CHECK(give_name());
  if (!temporary_.empty() && must_be_new_) VMPATCH_CHECK(take_free_name());
  if (!temporary_.empty() && ::rename(temporary_.c_str(), path_.c_str()) != 0) return errno_error(errno, what);
  temporary_.clear();
  return fsync_new_entry(folder_of(path_));
}

}  // namespace vmpatch
