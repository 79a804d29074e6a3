#include "guest/json_bytes.hpp"

#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

/// U+EF80 to U+EFFF: EE BE 80 to EE BF BF.
bool stands_for_byte(std::string_view character) {
  return character.size() == 3 && character[0] == '\xEE' && (character[1] == '\xBE' || character[1] == '\xBF');
}

void append_byte(std::string& text, unsigned char byte) {
  text += '\xEE';
  text += static_cast<char>(0xBC + (byte >> 6U));
  text += static_cast<char>(0x80 | (byte & 0x3FU));
}

}  // namespace

std::string bytes_to_text(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = utf8_length(bytes);
    const std::string_view character = bytes.substr(0, length);
    if (length == 0 || stands_for_byte(character)) {
      append_byte(text, static_cast<unsigned char>(bytes.front()));
      bytes.remove_prefix(1);
    } else {
      text += character;
      bytes.remove_prefix(length);
    }
  }
  return text;
}

std::string text_to_bytes(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = std::max<std::size_t>(utf8_length(text), 1);
    const std::string_view character = text.substr(0, length);
    if (stands_for_byte(character)) {
      const auto high = static_cast<unsigned char>(character[1]) - 0xBCU;
      bytes += static_cast<char>(high << 6U | (static_cast<unsigned char>(character[2]) & 0x3FU));
    } else {
      bytes += character;
    }
    text.remove_prefix(length);
  }
  return bytes;
}

}  // namespace vmpatch::guest
