#pragma once

#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine {

/// Errc::untrusted when this ledger has seen a higher version of the recipe, or the same version with another digest.
Result<void> check_seen(const recipe::TrustedRecipe& recipe, ledger::Store& store);

/// make_job() for a recipe that was used here before: the ledger is neither asked nor told.
Result<Job> load_job(const recipe::TrustedRecipe& recipe, const recipe::PayloadStore& payloads);

}  // namespace vmpatch::engine
