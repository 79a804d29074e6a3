#pragma once
// Work in a child process that can be given up on: whoever waits in the kernel for storage that does not answer cannot be ended,
// not by an alarm and not by SIGKILL, but it can be left behind.

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "vmpatch/core/result.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::gate {

using SteadyTime = std::chrono::steady_clock::time_point;

class Errand {
 public:
  using Send = std::function<void(std::string_view message)>;

  /// Forks: `work` has all of our memory as it is now. The child holds neither our standard input, output and error (libvirt waits
  /// until nobody has them) nor any other descriptor of ours (Linux 5.9), and is killed when we end. It ends with `work`; an exception
  /// ends it, too.
  static Result<Errand> start(const std::function<void(const Send&)>& work);
  Errand(Errand&& other) noexcept;
  Errand& operator=(Errand&&) = delete;
  /// SIGKILL, and no wait: it may never come.
  ~Errand();

  /// The next message; nullopt: it has ended, and there is none left. Errc::timeout: none came until then.
  Result<std::optional<std::string>> next(SteadyTime deadline);

 private:
  Errand(pid_t pid, UniqueFd reader) : pid_(pid), reader_(std::move(reader)) {}
  Result<bool> fill(std::size_t size, SteadyTime deadline);

  pid_t pid_;
  UniqueFd reader_;
  std::string received_;
};

/// Waits until `fd` can be read or has ended. False: not before the deadline.
Result<bool> wait_readable(int fd, SteadyTime deadline);

}  // namespace vmpatch::gate
