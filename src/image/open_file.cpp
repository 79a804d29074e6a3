#include "image/open_file.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::image {
namespace {

// O_NOFOLLOW guards the last component only. RESOLVE_NO_SYMLINKS also catches a folder that was swapped for a symlink
// after the path was made canonical; kernels and sandboxes without openat2 get O_NOFOLLOW alone.
int open_without_links(const fs::path& path, int access) {
  // O_NONBLOCK: opening a FIFO must not hang before fstat can refuse it.
  const int flags = access | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  open_how how{};
  how.flags = static_cast<__u64>(flags);
  how.resolve = RESOLVE_NO_SYMLINKS;
  const long fd = ::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how);
  if (fd < 0 && (errno == ENOSYS || errno == EPERM)) return ::open(path.c_str(), flags);
  return static_cast<int>(fd);
}

Error open_error(int error, const fs::path& path) {
  if (error == ELOOP) return fail(Errc::refused, "image {} is reached through a symlink; name the file itself", shown(path));
  return errno_error(error, "open image " + shown(path));
}

}  // namespace

std::string shown(const fs::path& path) { return escape_untrusted(path.native()); }

std::uint64_t disk_device(const struct stat& info) { return S_ISBLK(info.st_mode) ? info.st_rdev : info.st_dev; }

Result<fs::path> canonical_image_path(const fs::path& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  if (error || !absolute.has_filename()) return fail(Errc::refused, "image path {} names no file", shown(path));
  const fs::path folder = fs::canonical(absolute.parent_path(), error);
  if (error) return errno_error(error.value(), "find the folder of image " + shown(path));
  if (absolute.filename() == "." || absolute.filename() == "..") {
    return fail(Errc::refused, "image path {} names a folder; name the file", shown(path));
  }
  fs::path result = folder / absolute.filename();
  const auto status = fs::symlink_status(result, error);
  if (status.type() == fs::file_type::not_found) return errno_error(ENOENT, "open image " + shown(path));
  if (status.type() != fs::file_type::symlink) return result;

  const fs::path target = fs::read_symlink(result, error);
  const auto under_dev = [](const fs::path& p) { return p.native().rfind("/dev/", 0) == 0; };
  if (!under_dev(result)) {
    return fail(Errc::refused, "image {} is a symlink to {}; name the file itself", shown(result), shown(target));
  }
  fs::path resolved = fs::canonical(result, error);
  if (error) return errno_error(error.value(), "resolve device " + shown(result));
  if (!under_dev(resolved)) {
    return fail(Errc::refused, "device {} is a symlink to {} outside /dev; name the file itself", shown(result),
                shown(resolved));
  }
  return resolved;
}

bool lies_in_any(const fs::path& canonical, const std::vector<fs::path>& folders) {
  const fs::path parent = canonical.parent_path();
  return std::any_of(folders.begin(), folders.end(), [&](const fs::path& one) {
    std::error_code error;
    const fs::path folder = fs::canonical(one, error);
    return !error && std::mismatch(folder.begin(), folder.end(), parent.begin(), parent.end()).first == folder.end();
  });
}

Result<OpenedFile> open_disk_file(const fs::path& canonical, int access) {
  OpenedFile file;
  file.fd = UniqueFd(open_without_links(canonical, access));
  if (!file.fd) return open_error(errno, canonical);
  if (::fstat(file.fd.get(), &file.info) != 0) return errno_error(errno, "stat image " + shown(canonical));
  if (!S_ISREG(file.info.st_mode) && !S_ISBLK(file.info.st_mode)) {
    return fail(Errc::refused, "image {} is neither a regular file nor a block device", shown(canonical));
  }
  VMPATCH_TRY(file.size, disk_size(file.fd.get(), file.info, canonical));
  return file;
}

Result<UniqueFd> reopen_read_only(int fd, const fs::path& path) {
  const std::string link = fmt::format("/proc/self/fd/{}", fd);
  UniqueFd again(::open(link.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!again) return errno_error(errno, "open image " + shown(path) + " once more");
  struct stat first {};
  struct stat second {};
  if (::fstat(fd, &first) != 0 || ::fstat(again.get(), &second) != 0) {
    return errno_error(errno, "stat image " + shown(path));
  }
  if (first.st_dev != second.st_dev || first.st_ino != second.st_ino) {
    return fail(Errc::failed, "image {} was replaced while it was opened; try again", shown(path));
  }
  return again;
}

Result<UniqueFd> duplicate(int fd, const fs::path& path) {
  if (fd < 0) return fail(Errc::failed, "image {} was not opened for writing", shown(path));
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy) return errno_error(errno, "duplicate the descriptor of image " + shown(path));
  return copy;
}

Result<std::string> read_at(int fd, std::uint64_t offset, std::uint64_t length, const fs::path& path) {
  std::string bytes(length, '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "read image " + shown(path));
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

Result<std::uint64_t> disk_size(int fd, const struct stat& info, const fs::path& path) {
  if (!S_ISBLK(info.st_mode)) return static_cast<std::uint64_t>(info.st_size);
  std::uint64_t size = 0;
  if (::ioctl(fd, BLKGETSIZE64, &size) != 0) return errno_error(errno, "read the size of device " + shown(path));
  return size;
}

Result<Qcow2Header> load_qcow2_header(int fd, std::uint64_t file_size, std::uint64_t max_virtual_size,
                                      const fs::path& path) {
  VMPATCH_TRY(const auto bytes, read_at(fd, 0, 64U << 10U, path));
  auto header = parse_qcow2_header(bytes, file_size, max_virtual_size);
  if (!header) return header.error().in("image " + shown(path));
  return header;
}

}  // namespace vmpatch::image
