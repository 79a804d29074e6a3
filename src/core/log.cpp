#include "vmpatch/core/log.hpp"

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/interruption.hpp"

namespace vmpatch {
namespace {

std::string_view word(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warning:
      return "warning";
    case Level::error:
      return "error";
  }
  return "error";
}

/// A log that cannot be written has nowhere to say so; the work goes on.
void write_line(int fd, const std::string& line) { static_cast<void>(write_all(fd, line).has_value()); }

}  // namespace

void StderrLog::write(Level level, std::string_view line) {
  if (level < threshold_) return;
  const std::string text =
      level == Level::info ? fmt::format("vm-patch: {}\n", line) : fmt::format("vm-patch: {}: {}\n", word(level), line);
  const std::lock_guard lock(mutex_);
  write_diagnostics(text);
}

void FileLog::write(Level level, std::string_view line) {
  {
    const std::string text = fmt::format("{} {} {}\n", format_time(SystemClock().now()), word(level), line);
    const std::lock_guard lock(mutex_);
    write_line(fd_, text);
  }
  next_.write(level, line);
}

}  // namespace vmpatch
