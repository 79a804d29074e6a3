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

/// `made_from` of a recipe, if it is there.
Result<void> parse_made_from(YamlMapping& recipe_map, Recipe& recipe);
/// A host's key signs without anybody looking on: it vouches for packages of signed repositories, and for nothing that a person has to write.
/// Errc::untrusted.
Result<void> check_made_by_machine(const Recipe& recipe, std::string_view file_name);

/// The one key of a mapping, as a step or check is written.
struct SingleEntry {
  std::string key;
  YamlNode value;
};
Result<SingleEntry> read_single(const YamlNode& node, std::string_view what);

}  // namespace vmpatch::recipe
