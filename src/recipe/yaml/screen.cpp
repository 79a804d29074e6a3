#include "recipe/yaml/screen.hpp"

#include "vmpatch/core/format.hpp"

namespace vmpatch::recipe {
namespace {

constexpr std::size_t max_bytes = 4U << 20U;

unsigned byte_at(std::string_view text, std::size_t index) {
  return index < text.size() ? static_cast<unsigned char>(text[index]) : 0U;
}

/// Length of the UTF-8 sequence at `at` and its code point; length 0 when it is none (RFC 3629).
std::size_t decode(std::string_view text, std::size_t at, unsigned& point) {
  const unsigned first = byte_at(text, at);
  if (first < 0x80) {
    point = first;
    return 1;
  }
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + length > text.size()) return 0;
  point = first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const unsigned next = byte_at(text, at + i);
    if ((next & 0xc0U) != 0x80U) return 0;
    point = (point << 6U) | (next & 0x3fU);
  }
  const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  return overlong || surrogate || point > 0x10ffff ? 0 : length;
}

bool is_control(unsigned point) {
  if (point == '\t' || point == '\n' || point == '\r') return false;
  return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0xfeff;
}

/// Directives stand only before a document's first content.
bool starts_directive(std::string_view text, std::size_t line_start, bool content_seen) {
  return !content_seen && byte_at(text, line_start) == '%';
}

}  // namespace

bool is_utf8(std::string_view text) {
  unsigned point = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = decode(text, at, point);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::optional<YamlFault> screen_yaml(std::string_view text) {
  if (text.size() > max_bytes) return YamlFault{{}, "the document is larger than 4 MiB"};
  YamlPosition position;
  std::size_t line_start = 0;
  bool content_seen = false;
  for (std::size_t at = 0; at < text.size();) {
    if (at == line_start && starts_directive(text, at, content_seen))
      return YamlFault{position, "YAML directives (%) are not allowed"};
    unsigned point = 0;
    const std::size_t length = decode(text, at, point);
    if (length == 0) return YamlFault{position, "the text is not valid UTF-8"};
    if (is_control(point)) return YamlFault{position, fmt::format("character U+{:04X} is not allowed", point)};
    if (at == line_start && point != '#' && point != '\n' && point != '\r') content_seen = true;
    at += length;
    position.column += static_cast<int>(length);
    if (point == '\n') {
      ++position.line;
      position.column = 1;
      line_start = at;
    }
  }
  return std::nullopt;
}

}  // namespace vmpatch::recipe
