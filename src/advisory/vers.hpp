#pragma once
// Version ranges as CSAF's product_version_range branches name them: vers:deb/>=1.0|<2.0 (purl-spec, VERS).

#include <string_view>
#include <vector>

#include "advisory/statement.hpp"

namespace vmpatch::advisory {

struct VersionRange {
  std::vector<Event> events;  ///< of one range
  std::vector<Text> versions;
};

/// Nothing for another notation, and for ">" and "!=", which this program does not evaluate.
std::optional<VersionRange> parse_vers(std::string_view text, TextPool& texts);

}  // namespace vmpatch::advisory
