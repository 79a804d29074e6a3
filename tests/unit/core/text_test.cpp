#include "vmpatch/core/text.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace vmpatch {
namespace {

using namespace std::string_literals;

TEST(EscapeUntrusted, printable_text_stays) {
  EXPECT_EQ(escape_untrusted("web01 – Größe 日本 😀"), "web01 – Größe 日本 😀");
}

TEST(EscapeUntrusted, control_characters_are_escaped) {
  EXPECT_EQ(escape_untrusted("a\x1b[31mb\r\0\x7f"s), "a\\x1B[31mb\\x0D\\x00\\x7F");
  EXPECT_EQ(escape_untrusted("one\ntwo\tthree\\"), "one\\ntwo\\tthree\\\\");
}

TEST(EscapeUntrusted, c1_controls_are_escaped) {
  EXPECT_EQ(escape_untrusted("\xC2\x9B"), "\\u{009B}");
  EXPECT_EQ(escape_untrusted("\xC2\x80"), "\\u{0080}");
  EXPECT_EQ(escape_untrusted("\xC2\xA0"), "\xC2\xA0");
}

TEST(EscapeUntrusted, bidirectional_and_line_controls_are_escaped) {
  EXPECT_EQ(escape_untrusted("\u200E\u200F\u2028\u2029"), "\\u{200E}\\u{200F}\\u{2028}\\u{2029}");
  EXPECT_EQ(escape_untrusted("\u202A\u202E\u2066\u2069"), "\\u{202A}\\u{202E}\\u{2066}\\u{2069}");
  EXPECT_EQ(escape_untrusted("\u2027\u202F\u2065\u206A"), "\u2027\u202F\u2065\u206A");
}

TEST(EscapeUntrusted, invalid_utf8_is_escaped_byte_by_byte) {
  EXPECT_EQ(escape_untrusted("\x80"), "\\x80");
  EXPECT_EQ(escape_untrusted("\xFF\xFE"), "\\xFF\\xFE");
  EXPECT_EQ(escape_untrusted("\xC3"), "\\xC3");                             // cut off
  EXPECT_EQ(escape_untrusted("\xE2\x82z"), "\\xE2\\x82z");                  // cut off in the middle
  EXPECT_EQ(escape_untrusted("\xC0\xAF"), "\\xC0\\xAF");                    // overlong, two bytes
  EXPECT_EQ(escape_untrusted("\xE0\x9F\xBF"), "\\xE0\\x9F\\xBF");           // overlong, three
  EXPECT_EQ(escape_untrusted("\xF0\x8F\xBF\xBF"), "\\xF0\\x8F\\xBF\\xBF");  // overlong, four
  EXPECT_EQ(escape_untrusted("\xED\xA0\x80"), "\\xED\\xA0\\x80");           // surrogate
  EXPECT_EQ(escape_untrusted("\xF4\x90\x80\x80"), "\\xF4\\x90\\x80\\x80");  // above U+10FFFF
  EXPECT_EQ(escape_untrusted("\xF4\x8F\xBF\xBF"), "\xF4\x8F\xBF\xBF");      // U+10FFFF itself
  EXPECT_EQ(escape_untrusted("\xED\x9F\xBF"), "\xED\x9F\xBF");              // last before the surrogates
}

TEST(EnsureEscaped, escaped_text_stays) {
  EXPECT_EQ(ensure_escaped("plain – text"), "plain – text");
  for (const std::string& text : {"a\x1b[31mb\nc"s, "\xC2\x9B"s, "\u202E"s, "back\\slash"s, "\x80"s}) {
    const std::string escaped = escape_untrusted(text);
    EXPECT_EQ(ensure_escaped(escaped), escaped);
  }
}

TEST(EnsureEscaped, text_that_is_not_escaped_is) {
  EXPECT_EQ(ensure_escaped("a\x1b[31mb"), "a\\x1B[31mb");
  EXPECT_EQ(ensure_escaped("one\ntwo\\n"), "one\\ntwo\\\\n");
  EXPECT_EQ(ensure_escaped("\u202E"), "\\u{202E}");
}

TEST(EnsureEscaped, backslashes_do_not_hide_bytes) {
  // Without the backslash these bytes would be U+011B; as they are the last one is a C1 control of eight-bit terminals.
  EXPECT_EQ(ensure_escaped("\xC4\\\x9B[31m"), "\\xC4\\\\\\x9B[31m");
}

TEST(EnsureEscaped, long_text_is_cut_between_characters) {
  EXPECT_EQ(ensure_escaped("aßc", 2), "a");
  EXPECT_EQ(ensure_escaped("aßc", 3), "aß");
  EXPECT_EQ(ensure_escaped("\\n😀", 5), "\\n");
  EXPECT_EQ(ensure_escaped(std::string(10, '\x80'), 3).size(), 12U);
  EXPECT_EQ(ensure_escaped(std::string(5000, 'x')).size(), 4096U);
}

TEST(FormatSize, picks_the_unit_and_one_decimal) {
  EXPECT_EQ(format_size(0), "0 B");
  EXPECT_EQ(format_size(17), "17 B");
  EXPECT_EQ(format_size(1023), "1023 B");
  EXPECT_EQ(format_size(1024), "1 KiB");
  EXPECT_EQ(format_size(300 * 1024), "300 KiB");
  EXPECT_EQ(format_size(3ULL << 29U), "1.5 GiB");
}

TEST(FormatSize, rounding_up_reaches_the_next_unit) {
  EXPECT_EQ(format_size((1ULL << 20U) - 1), "1 MiB");
  EXPECT_EQ(format_size(std::numeric_limits<std::uint64_t>::max()), "16 EiB");
}

TEST(Split, keeps_empty_parts) {
  EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string_view>{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), (std::vector<std::string_view>{""}));
}

TEST(Trim, removes_blanks_at_both_ends_only) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
}

TEST(MatchesPattern, follows_the_shell) {
  EXPECT_TRUE(matches_pattern("tmpl-*", "tmpl-debian"));
  EXPECT_TRUE(matches_pattern("web0[1-3]", "web02"));
  EXPECT_FALSE(matches_pattern("web0?", "web012"));
  EXPECT_FALSE(matches_pattern("web", "web01"));
}

TEST(MatchesPattern, text_behind_a_nul_is_not_ignored) { EXPECT_FALSE(matches_pattern("web", "web\0evil"s)); }

}  // namespace
}  // namespace vmpatch
