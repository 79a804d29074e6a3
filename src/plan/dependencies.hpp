#pragma once
// Debian relationship fields (policy 7.1): "a (>= 1) | b, c:any [amd64]".

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/plan/versions.hpp"
#include "vmpatch/recipe/deb.hpp"
#include "vmpatch/recipe/recipe.hpp"

namespace vmpatch::plan {

struct Relation {
  std::string name;
  std::optional<recipe::VersionBound> bound;
};
/// Alternatives of one comma-separated entry.
using Relations = std::vector<Relation>;

/// Lenient on what it does not know: an entry that cannot be read is left to dpkg, which refuses it.
std::vector<Relations> parse_relations(std::string_view field);

/// Of one field ("Depends", "Conflicts", …); none where the package does not have it.
std::vector<Relations> relations_of(const recipe::DebPackage& deb, const std::string& field);

[[nodiscard]] bool fits(VersionScheme scheme, const Relation& relation, const std::string& version);

/// By name and version, or by what it provides.
[[nodiscard]] bool offers(VersionScheme scheme, const recipe::DebPackage& deb, const Relation& relation);

}  // namespace vmpatch::plan
