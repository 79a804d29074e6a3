#include "vmpatch/core/clock.hpp"

#include <gtest/gtest.h>

namespace vmpatch {
namespace {

using namespace std::chrono_literals;

Time at(std::int64_t seconds) { return Time(Seconds(seconds)); }

TEST(FormatTime, is_utc_with_seconds) {
  EXPECT_EQ(format_time(at(0)), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_time(at(1793528430) + 999ms), "2026-11-01T10:20:30Z");
  EXPECT_EQ(format_time(at(-1)), "1969-12-31T23:59:59Z");
}

TEST(ParseTime, reads_what_format_time_writes) {
  for (std::int64_t seconds : {0LL, 951782399LL, 1793528430LL, 4102444799LL}) {
    EXPECT_EQ(parse_time(format_time(at(seconds))).value(), at(seconds));
  }
}

TEST(ParseTime, a_date_is_midnight) {
  EXPECT_EQ(format_time(parse_time("2024-02-29").value()), "2024-02-29T00:00:00Z");
}

TEST(ParseTime, anything_else_is_refused) {
  for (const char* text : {"",
                           "2026",
                           "2026-11-1",
                           "2026-13-01",
                           "2026-00-10",
                           "2025-02-29",
                           "2026-11-31",
                           "2026/11/01",
                           "26-11-01T1:2:3Z",
                           "2026-11-01T10:20:30",
                           "2026-11-01T10:20:30z",
                           "2026-11-01 10:20:30Z",
                           "2026-11-01T24:00:00Z",
                           "2026-11-01T10:60:00Z",
                           "2026-11-01T10:20:60Z",
                           "2026-11-01T10:20:30+00:00",
                           "2026-11-01T+1:20:30Z",
                           " 2026-11-01",
                           "-026-11-01",
                           "1600-01-01",
                           "9999-01-01"}) {
    EXPECT_FALSE(parse_time(text)) << text;
  }
}

TEST(ParseDuration, reads_every_unit) {
  EXPECT_EQ(parse_duration("120s").value(), 120s);
  EXPECT_EQ(parse_duration("15m").value(), 15min);
  EXPECT_EQ(parse_duration("4h").value(), 4h);
  EXPECT_EQ(parse_duration("30d").value(), 720h);
}

TEST(ParseDuration, anything_else_is_refused) {
  for (const char* text : {"", "s", "0s", "000h", "-1s", "+1s", "1.5h", "1 h", "1h ", "10", "1w", "1H", "1h30m",
                           "99999999999999999999d", "9223372036854775807s", "9223372036854775807d", "36501d"}) {
    const auto result = parse_duration(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, Errc::usage);
  }
}

TEST(FormatDuration, shows_the_two_largest_units) {
  EXPECT_EQ(format_duration(0s), "0s");
  EXPECT_EQ(format_duration(59s), "59s");
  EXPECT_EQ(format_duration(65s), "1m05s");
  EXPECT_EQ(format_duration(2h + 3min + 59s), "2h03m");
  EXPECT_EQ(format_duration(76h), "3d04h");
  EXPECT_EQ(format_duration(-65s), "-1m05s");
}

TEST(Clock, fixed_clock_moves_only_when_set) {
  FixedClock clock(at(10));
  EXPECT_EQ(clock.now(), at(10));
  clock.set(at(20));
  EXPECT_EQ(clock.now(), at(20));
}

TEST(Clock, system_clock_is_after_this_was_written) {
  EXPECT_GT(SystemClock().now(), parse_time("2024-01-01").value());
}

}  // namespace
}  // namespace vmpatch
