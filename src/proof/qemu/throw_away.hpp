#pragma once
// The confined QEMU that a machine is started in.

#include <chrono>
#include <string>

#include "proof/firmware.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/qmp.hpp"
#include "vmpatch/proof/boot.hpp"

namespace vmpatch::proof {

class ThrowAway {
 public:
  /// Starts it: the machine runs at once. Errors: see boot().
  static Result<ThrowAway> start(const BootRequest& request);

  ThrowAway(ThrowAway&&) noexcept = default;
  ThrowAway& operator=(ThrowAway&&) = delete;
  ThrowAway(const ThrowAway&) = delete;
  /// Kills it, and returns when it is gone.
  ~ThrowAway();

  [[nodiscard]] int console() const { return console_.get(); }
  [[nodiscard]] int agent() const { return agent_.get(); }
  [[nodiscard]] int messages() const { return messages_.get(); }
  [[nodiscard]] Qmp& monitor() { return monitor_; }
  void close_console() { console_.reset(); }
  void close_agent() { agent_.reset(); }

  /// What it has printed since the last call, into the log.
  void take_messages();
  [[nodiscard]] const std::string& last_message() const { return last_message_; }
  /// Once it has ended by itself.
  Result<int> wait(std::chrono::milliseconds timeout) { return child_.wait(timeout); }

 private:
  ThrowAway(Child child, UniqueFd monitor, UniqueFd console, UniqueFd agent, UniqueFd messages, int log_fd);
  Child child_;
  Qmp monitor_;
  UniqueFd console_, agent_, messages_;
  UniqueFd life_;  ///< its other end is open as long as one of its processes lives
  int log_fd_ = -1;
  std::string last_message_;
};

}  // namespace vmpatch::proof
