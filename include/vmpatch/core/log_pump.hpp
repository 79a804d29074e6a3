#pragma once
// Logs that hold what programs print that meet foreign content: escaped, a line each, and never more than a limit.

#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "vmpatch/core/result.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch {

/// Of a log file, in bytes. The last of it is for our own lines: whatever others print, how a run ended is in its log.
inline constexpr std::uint64_t largest_log = 16U << 20U;

enum class LogShare { own, others };

/// Appends `lines`, which are whole lines, to a log that several processes append to. Where the share is used up, one line says so and
/// nothing follows it.
void append_to_log(int log_fd, std::string_view lines, LogShare share);

/// A pipe whose lines come into a log, by a thread of its own: its writers never wait for long, whatever they write.
class LogPump {
 public:
  /// `log_fd` stays open as long as this lives. Each line begins with `name`.
  static Result<std::unique_ptr<LogPump>> start(int log_fd, std::string name);
  LogPump(const LogPump&) = delete;
  LogPump& operator=(const LogPump&) = delete;
  /// Takes what lies in the pipe by then, and no more: a process that was forgotten may hold its other end for ever.
  ~LogPump();

  /// For a child; close_writer() after it has started.
  [[nodiscard]] int writer() const { return writer_.get(); }
  void close_writer() { writer_.reset(); }

 private:
  LogPump(int log_fd, std::string name) : log_fd_(log_fd), name_(std::move(name)) {}
  void work();
  /// False at the end of the pipe.
  bool take_some();
  void take(std::string_view bytes);

  int log_fd_;
  std::string name_;
  UniqueFd reader_;
  UniqueFd writer_;
  UniqueFd stop_;     ///< eventfd
  std::string line_;  ///< that has no end yet
  std::thread thread_;
};

}  // namespace vmpatch
