#include "vmpatch/core/log.hpp"

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/foreign_line.hpp"
#include "vmpatch/core/interruption.hpp"
#include "vmpatch/core/log_pump.hpp"

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
    append_to_log(fd_, text, line.starts_with(foreign_line) ? LogShare::others : LogShare::own);
  }
  next_.write(level, line);
}

}  // namespace vmpatch
