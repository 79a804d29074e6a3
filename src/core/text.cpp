#include "vmpatch/core/text.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <array>

namespace vmpatch {
namespace {

struct CodePoint {
  char32_t value = 0;
  std::size_t length = 0;  ///< 0: the first byte does not start valid UTF-8
};

/// Table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing above U+10FFFF.
CodePoint decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  std::size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  char32_t value = 0;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
    value = first & 0x1FU;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    value = first & 0x0FU;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    value = first & 0x07U;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return {};
  }
  if (text.size() < length) return {};
  for (std::size_t i = 1; i < length; ++i) {
    if (byte(i) < low || byte(i) > high) return {};
    value = (value << 6U) | (byte(i) & 0x3FU);
    low = 0x80;
    high = 0xBF;
  }
  return {value, length};
}

bool is_deceptive(char32_t c) {
  return (c >= 0x80 && c <= 0x9F)          // C1 controls
         || c == 0x200E || c == 0x200F     // left-to-right and right-to-left marks
         || c == 0x061C                    // Arabic letter mark
         || c == 0x2028 || c == 0x2029     // line and paragraph separator
         || (c >= 0x202A && c <= 0x202E)   // bidirectional embeddings and overrides
         || (c >= 0x2066 && c <= 0x2069);  // bidirectional isolates
}

}  // namespace

std::string escape_untrusted(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint c = decode(text);
    const auto first = static_cast<unsigned char>(text.front());
    if (c.length == 0) {
      out += fmt::format("\\x{:02X}", first);
      text.remove_prefix(1);
      continue;
    }
    if (c.value == '\\') {
      out += "\\\\";
    } else if (c.value == '\n') {
      out += "\\n";
    } else if (c.value == '\t') {
      out += "\\t";
    } else if (c.value < 0x20 || c.value == 0x7F) {
      out += fmt::format("\\x{:02X}", first);
    } else if (is_deceptive(c.value)) {
      out += fmt::format("\\u{{{:04X}}}", static_cast<std::uint32_t>(c.value));
    } else {
      out += text.substr(0, c.length);
    }
    text.remove_prefix(c.length);
  }
  return out;
}

std::string ensure_escaped(std::string_view text, std::size_t max_bytes) {
  if (text.size() > max_bytes) {
    const auto inside = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80; };
    std::size_t end = max_bytes;
    while (end > 0 && max_bytes - end < 3 && inside(end)) --end;
    text = text.substr(0, inside(end) ? max_bytes : end);  // longer than a character can be: there is none
  }
  // Each part between backslashes by itself: without them bytes would join into characters that are not there.
  for (const std::string_view part : split(text, '\\')) {
    if (escape_untrusted(part) != part) return escape_untrusted(text);
  }
  return std::string(text);
}

std::size_t utf8_length(std::string_view text) { return text.empty() ? 0 : decode(text).length; }

std::string format_size(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  static constexpr std::array<std::string_view, 6> units{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  std::uint64_t unit = 1024;
  for (std::size_t i = 0;; ++i, unit *= 1024) {
    const std::uint64_t whole = bytes / unit;
    const std::uint64_t rest = bytes % unit;
    // Tenths, rounded half up; split so that nothing overflows near 16 EiB.
    const std::uint64_t tenths = whole * 10 + (rest / (unit / 1024) * 10 + 512) / 1024;
    if (tenths >= 10240 && i + 1 < units.size()) continue;
    if (tenths % 10 == 0) return fmt::format("{} {}", tenths / 10, units[i]);
    return fmt::format("{}.{} {}", tenths / 10, tenths % 10, units[i]);
  }
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n\f\v";
  const auto begin = text.find_first_not_of(blank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blank) - begin + 1);
}

bool matches_pattern(std::string_view pattern, const std::string& text) {
  // fnmatch() would stop at a NUL and match a mere beginning.
  if (pattern.find('\0') != std::string_view::npos || text.find('\0') != std::string::npos) return false;
  return ::fnmatch(std::string(pattern).c_str(), text.c_str(), 0) == 0;
}

}  // namespace vmpatch
