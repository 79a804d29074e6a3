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
/// key revoked, recipe expired, a newer version seen here, guest not readable there), is dropped with the reason. A recipe of the id
/// `replaced`, which is verified just now, is neither kept nor dropped: another entry takes its place; empty = none is. Errors: none but those
/// of memory. Whether the guest is fit to be asked at all is attestable()'s question.
ProvenAgain prove_again(const Environment& environment, const Earlier& earlier, const std::string& replaced, guest::Guest& guest,
                        const guest::Facts& facts);

}  // namespace vmpatch::engine
