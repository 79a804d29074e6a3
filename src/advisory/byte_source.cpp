#include "advisory/byte_source.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {

Result<std::size_t> FileSource::read(char* to, std::size_t size) {
  ssize_t got = 0;
  do {
    got = ::pread(fd_, to, size, static_cast<off_t>(offset_));
  } while (got < 0 && errno == EINTR);
  if (got < 0) return errno_error(errno, "cannot read");
  offset_ += static_cast<std::uint64_t>(got);
  if (offset_ > max_bytes_) return fail(Errc::failed, "larger than {}", format_size(max_bytes_));
  return static_cast<std::size_t>(got);
}

Result<std::size_t> MemorySource::read(char* to, std::size_t size) {
  const std::size_t count = std::min(size, rest_.size());
  std::copy_n(rest_.data(), count, to);
  rest_.remove_prefix(count);
  return count;
}

}  // namespace vmpatch::advisory
