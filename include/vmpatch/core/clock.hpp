#pragma once
// Time as a port, and its text forms.

#include <chrono>
#include <string>
#include <string_view>

#include "vmpatch/core/result.hpp"

namespace vmpatch {

/// UTC, nanoseconds.
using Time = std::chrono::sys_time<std::chrono::nanoseconds>;
using Seconds = std::chrono::seconds;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Time now() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Time now() const override;
};

class FixedClock final : public Clock {
 public:
  explicit FixedClock(Time time) : time_(time) {}
  [[nodiscard]] Time now() const override { return time_; }
  void set(Time time) { time_ = time; }

 private:
  Time time_;
};

/// RFC 3339 in UTC with seconds: 2026-11-01T10:20:30Z.
[[nodiscard]] std::string format_time(Time time);
/// Accepts YYYY-MM-DD (midnight UTC) and the form of format_time, years 1678 to 2261; else Errc::usage.
Result<Time> parse_time(std::string_view text);
/// A whole number and one unit: 120s, 15m, 4h, 30d. Zero, more than 36500 days and any other form are Errc::usage.
Result<Seconds> parse_duration(std::string_view text);
/// 1m05s, 2h03m, 3d04h.
[[nodiscard]] std::string format_duration(Seconds duration);

}  // namespace vmpatch
