#include "vmpatch/core/atomic_output.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch {

Result<AtomicOutput> AtomicOutput::create(const std::filesystem::path& path) {
  const auto folder = path.parent_path().empty() ? std::filesystem::path(".") : path.parent_path();
  std::string pattern = (folder / ("." + path.filename().string() + ".XXXXXX")).string();
  UniqueFd fd(::mkostemp(pattern.data(), O_CLOEXEC));
  if (!fd) return errno_error(errno, fmt::format("creating {}", path.string()));
  return AtomicOutput(path, pattern, std::move(fd));
}

AtomicOutput::AtomicOutput(AtomicOutput&& other) noexcept
    : path_(std::move(other.path_)), temporary_(std::move(other.temporary_)), fd_(std::move(other.fd_)) {
  other.temporary_.clear();
}

AtomicOutput::~AtomicOutput() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Result<void> AtomicOutput::commit(unsigned mode) {
  const auto what = fmt::format("writing {}", path_.string());
  if (::fchmod(fd_.get(), mode) != 0 || ::fsync(fd_.get()) != 0) return errno_error(errno, what);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return errno_error(errno, what);
  temporary_.clear();
  return fsync_dir(path_.parent_path().empty() ? std::filesystem::path(".") : path_.parent_path());
}

}  // namespace vmpatch
