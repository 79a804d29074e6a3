#pragma once
// What is refused before the YAML library sees the text.

#include <optional>
#include <string>
#include <string_view>

#include "recipe/yaml_state.hpp"

namespace vmpatch::recipe {

struct YamlFault {
  YamlPosition position;
  std::string message;
};

/// Too long, not UTF-8, a byte order mark, control characters, directives.
std::optional<YamlFault> screen_yaml(std::string_view text);

/// RFC 3629.
bool is_utf8(std::string_view text);

}  // namespace vmpatch::recipe
