#pragma once

#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine {

/// make_job() for a recipe that was used here before: the ledger is neither asked nor told.
Result<Job> load_job(const recipe::TrustedRecipe& recipe, const recipe::PayloadStore& payloads);

}  // namespace vmpatch::engine
