#include "guest/direct/utf16.hpp"

#include "guest/direct/bytes.hpp"

namespace vmpatch::guest::direct {
namespace {

void append(std::string& text, std::uint32_t point) {
  const auto low = [](std::uint32_t bits) { return static_cast<char>(0x80U | (bits & 0x3fU)); };
  if (point < 0x80) {
    text += static_cast<char>(point);
  } else if (point < 0x800) {
    text += {static_cast<char>(0xc0U | point >> 6U), low(point)};
  } else if (point < 0x10000) {
    text += {static_cast<char>(0xe0U | point >> 12U), low(point >> 6U), low(point)};
  } else {
    text += {static_cast<char>(0xf0U | point >> 18U), low(point >> 12U), low(point >> 6U), low(point)};
  }
}

}  // namespace

std::string utf8_of_utf16(std::string_view bytes) {
  std::string text;
  for (std::size_t at = 0; at + 2 <= bytes.size(); at += 2) {
    const std::uint32_t unit = read_le<std::uint16_t>(bytes, at);
    if (unit == 0) break;
    const std::uint32_t next = read_le<std::uint16_t>(bytes, at + 2);
    if (unit >= 0xd800 && unit < 0xdc00 && next >= 0xdc00 && next < 0xe000) {
      append(text, 0x10000U + ((unit - 0xd800U) << 10U) + (next - 0xdc00U));
      at += 2;
    } else {
      append(text, unit >= 0xd800 && unit < 0xe000 ? 0xfffdU : unit);
    }
  }
  return text;
}

}  // namespace vmpatch::guest::direct
