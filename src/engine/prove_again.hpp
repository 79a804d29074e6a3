#pragma once
// A new attestation names earlier recipes only where they were proved once more: a later recipe may have undone them.

#include "engine/attest.hpp"

namespace vmpatch::engine {

struct ProvenAgain {
  Json kept = Json::array();  ///< entries of `satisfied`, with the proof of now
  std::vector<DroppedRecipe> dropped;
};

/// Asks the guest about every candidate as if its bundle had just been given: its kept envelope is verified by the keyring of now, its steps,
/// checks and the files of its packages are asked of this guest. What does not hold, or cannot be proved (envelope or payload gone,
/// key revoked, recipe expired, guest not readable there), is dropped with the reason. A recipe of the id of `recipe`, which is
/// verified just now, is neither kept nor dropped: `recipe` takes its place. Errors: none but those of memory.
ProvenAgain prove_again(const Environment& environment, const Earlier& earlier, const recipe::Recipe& recipe, guest::Guest& guest,
                        const guest::Facts& facts);

}  // namespace vmpatch::engine
