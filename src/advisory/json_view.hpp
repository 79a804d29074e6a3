#pragma once
// Reading of JSON that may be of any shape: what is missing or of another type is empty.

#include <string>
#include <string_view>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::advisory {

inline const Json& member(const Json& json, const char* key) {
  static const Json nothing;
  if (!json.is_object()) return nothing;
  const auto found = json.find(key);
  return found == json.end() ? nothing : *found;
}

inline const std::string& text_of(const Json& json) {
  static const std::string empty;
  return json.is_string() ? *json.get_ptr<const Json::string_t*>() : empty;
}
inline const std::string& text_of(const Json& json, const char* key) { return text_of(member(json, key)); }

/// For loops: the elements of an array, none for anything else.
inline const Json& items_of(const Json& json) {
  static const Json none = Json::array();
  return json.is_array() ? json : none;
}
inline const Json& items_of(const Json& json, const char* key) { return items_of(member(json, key)); }

/// RFC 3339 as feeds write it: fractions of a second, offsets "+02:00" and "+0000", or the day alone.
inline std::optional<Time> feed_time(std::string_view text) {
  if (text.size() < 19 || text.size() > 40) {
    const auto day = parse_time(text);
    return day ? std::optional(*day) : std::nullopt;
  }
  const auto time = parse_time(std::string(text.substr(0, 19)) + "Z");
  if (!time) return std::nullopt;
  const auto sign = text.find_first_of("+-", 19);
  if (sign == std::string_view::npos) return *time;
  std::string figures;
  for (const char c : text.substr(sign + 1)) {
    if (c >= '0' && c <= '9') figures += c;
  }
  if (figures.size() != 4) return std::nullopt;
  const auto offset = std::chrono::hours(std::stoi(figures.substr(0, 2))) + std::chrono::minutes(std::stoi(figures.substr(2)));
  return text[sign] == '+' ? *time - offset : *time + offset;
}

}  // namespace vmpatch::advisory
