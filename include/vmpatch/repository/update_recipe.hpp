#pragma once
// From an update to a recipe: the one way in which disks are changed.

#include "vmpatch/guest/facts.hpp"
#include "vmpatch/recipe/recipe.hpp"
#include "vmpatch/repository/snapshot.hpp"
#include "vmpatch/repository/update.hpp"

namespace vmpatch::repository {

/// A recipe that makes exactly these changes: its id tells system and content; it says what it was made from, is accepted for 90 days, and
/// demands every package in its new version or a newer one. Conffiles are kept.
/// Errors: usage (nothing to do), refused (packages are removed or made older, or several architectures: for a human).
Result<recipe::Recipe> make_update_recipe(const Update& update, const Snapshot& snapshot, const guest::Facts& facts, Time now);

}  // namespace vmpatch::repository
