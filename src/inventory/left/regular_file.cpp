#include "inventory/left/regular_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::inventory {

Result<RegularFile> open_regular(const std::filesystem::path& path, Links links) {
  RegularFile file;
  file.name = escape_untrusted(path.native());
  // O_NONBLOCK: opening a FIFO must not hang before fstat can refuse it.
  const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (links == Links::refused ? O_NOFOLLOW : 0);
  file.fd = UniqueFd(::open(path.c_str(), flags));
  if (!file.fd && errno == ELOOP) return fail(Errc::refused, "{} is a symbolic link", file.name);
  if (!file.fd) return errno_error(errno, "open " + file.name);
  struct stat info {};
  if (::fstat(file.fd.get(), &info) != 0) return errno_error(errno, "look at " + file.name);
  if (!S_ISREG(info.st_mode)) return fail(Errc::refused, "{} is no regular file", file.name);
  file.size = static_cast<std::uint64_t>(info.st_size);
  return file;
}

Result<std::string> read_range(const RegularFile& file, std::uint64_t offset, std::uint64_t length) {
  std::string bytes(std::min(length, file.size - std::min(file.size, offset)), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::pread(file.fd.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "read " + file.name);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace vmpatch::inventory
