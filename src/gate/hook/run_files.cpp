#include "gate/hook/run_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::gate {

Result<std::string> read_run_file(const fs::path& path, std::uint64_t max_bytes) {
  const std::string shown = escape_untrusted(path.native());
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd) return errno_error(errno, "cannot open " + shown);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return errno_error(errno, "cannot look at " + shown);
  if (!S_ISREG(info.st_mode)) return fail(Errc::refused, "{} is no regular file", shown);
  return read_fd(fd.get(), max_bytes, shown);
}

}  // namespace vmpatch::gate
