#pragma once
// Writing scalars that parse_yaml, and any other YAML reader, reads back as the same text.

#include <string>
#include <string_view>

namespace vmpatch::recipe {

/// Always in double quotes, on one line.
std::string quote_yaml(std::string_view text);
/// Without quotes where no reader can take it for anything but text, else in double quotes.
std::string yaml_scalar(std::string_view text);

}  // namespace vmpatch::recipe
