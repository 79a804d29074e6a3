#pragma once
// What the package database must hold after a patch. Pure.

#include <string>
#include <vector>

#include "vmpatch/guest/facts.hpp"
#include "vmpatch/plan/plan.hpp"
#include "vmpatch/recipe/recipe.hpp"

namespace vmpatch::engine {

/// Whether the database after these steps can be told beforehand: a script or an archive may change it in its own way.
[[nodiscard]] bool is_predictable(const recipe::Recipe& recipe);

/// Where the database is not what it was before with the plan's changes, name by name and version by version: "foo: predicted 1.2, is 1.1".
/// Empty = as predicted.
std::vector<std::string> unpredicted_packages(const plan::Plan& plan, const guest::Facts& before, const guest::Facts& after);

}  // namespace vmpatch::engine
