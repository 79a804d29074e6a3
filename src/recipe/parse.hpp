#pragma once
// The parts of the recipe parser.

#include <set>

#include "recipe/fields.hpp"

namespace vmpatch::recipe {

/// Which declared payloads the steps have named so far.
struct PayloadUse {
  const Recipe& recipe;
  std::set<std::string, std::less<>> used;

  /// The name at `node`, which must be a declared payload.
  Result<std::string> read(const YamlNode& node);
};

Result<Step> parse_step(const YamlNode& node, PayloadUse& payloads);
/// One entry of verify; `package` may name several packages and then gives several checks.
Result<std::vector<Check>> parse_checks(const YamlNode& node);

/// The one key of a mapping, as a step or check is written.
struct SingleEntry {
  std::string key;
  YamlNode value;
};
Result<SingleEntry> read_single(const YamlNode& node, std::string_view what);

}  // namespace vmpatch::recipe
