#pragma once
// The unprivileged QEMU process: started without a machine, spoken to by QMP, its messages kept for error reports.

#include <string>
#include <string_view>

#include "vmpatch/core/qmp.hpp"
#include "vmpatch/core/process.hpp"

namespace vmpatch::image {

class Worker {
 public:
  /// `log_fd` (may be -1) gets QEMU's messages, escaped, a line each; it must stay open. Does not wait until QEMU is up: the
  /// first command does.
  static Result<Worker> start(int log_fd, bool reading, const std::optional<Credentials>& account);

  /// Qmp::execute; an error of a QEMU that has died says so and quotes its last message.
  Result<Json> execute(std::string_view command, const Json& arguments = Json::object(), int pass_fd = -1);
  Result<void> wait_for_event(std::chrono::milliseconds timeout);
  /// "quit", and wait for exit code 0.
  Result<void> quit();
  /// Everything QEMU has printed since the last call, as one line; empty when it was silent.
  std::string take_messages();
  [[nodiscard]] pid_t pid() const { return child_.pid(); }

 private:
  Worker(Child child, Qmp qmp, UniqueFd messages, int log_fd);
  Error explain(const Error& error);
  Result<void> greet();

  Child child_;
  Qmp qmp_;
  UniqueFd messages_;
  int log_fd_ = -1;
  std::string last_line_;
  bool greeted_ = false;
};

}  // namespace vmpatch::image
