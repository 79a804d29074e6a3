#include "recipe/yaml_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace vmpatch::recipe {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_plain(char c) {
  return is_letter(c) || is_digit(c) || std::string_view("._+/@=~-").find(c) != std::string_view::npos;
}

// What YAML 1.1 readers take for something else than text.
bool is_reserved(std::string_view text) {
  static constexpr std::array<std::string_view, 9> words = {"y",   "n",    "yes",   "no",  "on",
                                                            "off", "true", "false", "null"};
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return std::find(words.begin(), words.end(), lower) != words.end();
}

}  // namespace

std::string quote_yaml(std::string_view text) {
  std::string quoted = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\t') {
      quoted += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += fmt::format("\\x{:02x}", byte);
    } else if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[++i]));  // a C1 control, two bytes in UTF-8
    } else if (text.substr(i).starts_with("\xef\xbb\xbf")) {
      quoted += "\\uFEFF";  // the byte order mark, which parse_yaml refuses in the open
      i += 2;
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string yaml_scalar(std::string_view text) {
  const bool starts_well = !text.empty() && (is_letter(text.front()) || (text.front() == '/' && text.size() > 1));
  bool plain = starts_well && text.back() != ' ' && !is_reserved(text);
  for (const char c : text) plain = plain && (is_plain(c) || c == ' ');
  return plain ? std::string(text) : quote_yaml(text);
}

}  // namespace vmpatch::recipe
