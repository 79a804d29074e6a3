#include "vmpatch/core/clock.hpp"

#include <cstdint>
#include <limits>
#include <optional>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// A fixed-width decimal at text[at, at + width).
std::optional<unsigned> number(std::string_view text, std::size_t at, std::size_t width) {
  unsigned value = 0;
  for (char c : text.substr(at, width)) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

Error bad_time(std::string_view text) {
  return fail(Errc::usage, "not a date or time: '{}'; write 2026-11-01 or 2026-11-01T10:20:30Z",
              escape_untrusted(text));
}

Error bad_duration(std::string_view text) {
  return fail(Errc::usage, "not a duration: '{}'; write a whole number above 0 and s, m, h or d, as in 15m",
              escape_untrusted(text));
}

}  // namespace

Time SystemClock::now() const {
  return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
}

std::string format_time(Time time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<Seconds>(time) - std::chrono::time_point_cast<Seconds>(day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

Result<Time> parse_time(std::string_view text) {
  const bool with_clock = text.size() == 20;
  if (!with_clock && text.size() != 10) return bad_time(text);
  const auto year = number(text, 0, 4);
  const auto month = number(text, 5, 2);
  const auto day = number(text, 8, 2);
  if (!year || !month || !day || text[4] != '-' || text[7] != '-') return bad_time(text);
  // 64 bits of nanoseconds reach from 1677-09-21 to 2262-04-11.
  if (*year < 1678 || *year > 2261) return bad_time(text);
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)), std::chrono::month(*month),
                                         std::chrono::day(*day)};
  if (!date.ok()) return bad_time(text);
  Time time = std::chrono::sys_days(date);
  if (!with_clock) return time;

  const auto hour = number(text, 11, 2);
  const auto minute = number(text, 14, 2);
  const auto second = number(text, 17, 2);
  if (!hour || !minute || !second || text[10] != 'T' || text[13] != ':' || text[16] != ':' || text[19] != 'Z' ||
      *hour > 23 || *minute > 59 || *second > 59) {
    return bad_time(text);
  }
  time += std::chrono::hours(*hour) + std::chrono::minutes(*minute) + Seconds(*second);
  return time;
}

Result<Seconds> parse_duration(std::string_view text) {
  if (text.size() < 2) return bad_duration(text);
  std::int64_t unit = 0;
  switch (text.back()) {
    case 's':
      unit = 1;
      break;
    case 'm':
      unit = 60;
      break;
    case 'h':
      unit = 3600;
      break;
    case 'd':
      unit = 86400;
      break;
    default:
      return bad_duration(text);
  }
  // The limit keeps `now + duration` and nanoseconds away from overflow: about 100 years.
  constexpr std::int64_t limit = std::int64_t{36500} * 86400;
  std::int64_t value = 0;
  for (char c : text.substr(0, text.size() - 1)) {
    if (!is_digit(c)) return bad_duration(text);
    value = value * 10 + (c - '0');
    if (value > limit) return bad_duration(text);
  }
  if (value == 0 || value > limit / unit) return bad_duration(text);
  return Seconds(value * unit);
}

std::string format_duration(Seconds duration) {
  const std::int64_t count = duration.count();
  const std::string_view sign = count < 0 ? "-" : "";
  const auto raw = static_cast<std::uint64_t>(count);
  const std::uint64_t total = count < 0 ? std::uint64_t{0} - raw : raw;
  if (total < 60) return fmt::format("{}{}s", sign, total);
  if (total < 3600) return fmt::format("{}{}m{:02}s", sign, total / 60, total % 60);
  if (total < 86400) return fmt::format("{}{}h{:02}m", sign, total / 3600, total % 3600 / 60);
  return fmt::format("{}{}d{:02}h", sign, total / 86400, total % 86400 / 3600);
}

}  // namespace vmpatch
