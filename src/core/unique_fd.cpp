#include "vmpatch/core/unique_fd.hpp"

#include <unistd.h>

#include <cerrno>

namespace vmpatch {

void UniqueFd::reset(int fd) {
  const int old = std::exchange(fd_, fd);
  if (old < 0) return;
  const int saved = errno;  // a destructor must not spoil the errno that its caller is about to report
  // Linux frees the number even when close() says EINTR, so there is no second try.
  ::close(old);
  errno = saved;
}

}  // namespace vmpatch
