#pragma once
// Diagnostics go through a Log that is passed down; there is no global one.

#include <fmt/format.h>

#include <mutex>
#include <string>
#include <string_view>

namespace vmpatch {

enum class Level { debug, info, warning, error };

/// Thread-safe. One line a call, without trailing newline.
class Log {
 public:
  virtual ~Log() = default;
  virtual void write(Level level, std::string_view line) = 0;

  template <class... Args>
  void debug(fmt::format_string<Args...> f, Args&&... a) { write(Level::debug, fmt::format(f, std::forward<Args>(a)...)); }
  template <class... Args>
  void info(fmt::format_string<Args...> f, Args&&... a) { write(Level::info, fmt::format(f, std::forward<Args>(a)...)); }
  template <class... Args>
  void warn(fmt::format_string<Args...> f, Args&&... a) { write(Level::warning, fmt::format(f, std::forward<Args>(a)...)); }
  template <class... Args>
  void error(fmt::format_string<Args...> f, Args&&... a) { write(Level::error, fmt::format(f, std::forward<Args>(a)...)); }
};

class NullLog final : public Log {
 public:
  void write(Level, std::string_view) override {}
};

/// Lines at or above `threshold` to stderr, as "vm-patch: warning: …" (info without a level word).
class StderrLog final : public Log {
 public:
  explicit StderrLog(Level threshold) : threshold_(threshold) {}
  void write(Level level, std::string_view line) override;

 private:
  Level threshold_;
  std::mutex mutex_;
};

/// Every line with a time stamp to an own file descriptor (a run's log); `next` gets them too.
class FileLog final : public Log {
 public:
  FileLog(int fd, Log& next) : fd_(fd), next_(next) {}
  void write(Level level, std::string_view line) override;

 private:
  int fd_;
  Log& next_;
  std::mutex mutex_;
};

}  // namespace vmpatch
