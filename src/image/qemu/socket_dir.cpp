#include "image/qemu/socket_dir.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "image/open_file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::image {

Result<SocketDir> SocketDir::make(const fs::path& path, const std::optional<Credentials>& worker) {
  std::error_code error;
  SocketDir dir(fs::absolute(path, error).lexically_normal());
  const std::string what = "socket folder " + shown(dir.path_);
  if (dir.socket().native().size() >= sizeof(sockaddr_un{}.sun_path)) {
    dir.path_.clear();
    return fail(Errc::failed, "{} has too long a name for a unix socket; use a shorter path", what);
  }
  if (::mkdir(dir.path_.c_str(), 0700) != 0 && errno != EEXIST) {
    const int reason = errno;
    dir.path_.clear();
    return errno_error(reason, "make " + what);
  }
  const UniqueFd fd(::open(dir.path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info {};
  const bool ours = fd && ::fstat(fd.get(), &info) == 0 &&
                    (info.st_uid == ::geteuid() || (worker && is_worker_account(info.st_uid)));
  if (!ours) {
    dir.path_.clear();
    return fail(Errc::refused, "{} exists and is not a folder of ours; remove it or choose another", what);
  }
  // bind() refuses a socket that a killed server left behind.
  ::unlinkat(fd.get(), "nbd.sock", 0);
  if (::fchmod(fd.get(), 0700) != 0 || (worker && ::fchown(fd.get(), worker->uid, worker->gid) != 0)) {
    return errno_error(errno, "prepare " + what);
  }
  return dir;
}

SocketDir::SocketDir(SocketDir&& other) noexcept : path_(std::exchange(other.path_, fs::path())) {}

SocketDir::~SocketDir() {
  if (path_.empty()) return;
  ::unlink(socket().c_str());
  ::rmdir(path_.c_str());
}

}  // namespace vmpatch::image
