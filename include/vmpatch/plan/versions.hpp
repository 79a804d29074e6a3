#pragma once
// Version bounds of a recipe, in the guest's own version order.

#include "vmpatch/guest/versions.hpp"
#include "vmpatch/recipe/recipe.hpp"

namespace vmpatch::plan {

using guest::compare_versions;
using guest::version_scheme;
using guest::VersionScheme;

[[nodiscard]] bool in_bounds(VersionScheme scheme, const std::string& version, const recipe::VersionBound& bound);

}  // namespace vmpatch::plan
