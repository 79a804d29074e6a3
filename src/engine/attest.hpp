#pragma once
// Signed statements about disk identities, and what carries over from one to the next.

#include "vmpatch/engine/engine.hpp"
#include "vmpatch/reading/disks.hpp"

namespace vmpatch::engine {

/// What the machine's last attestation says that holds: candidates, to be proved again.
struct Earlier {
  Json satisfied = Json::array();
  std::vector<DroppedRecipe> lost;  ///< of the attestation, but no candidates
};

/// All of it: for who asks the disks as they are.
Result<Earlier> attested_before(const Environment& environment, const inventory::Machine& machine);
/// For a run, whose disks may be rolled back to what they are `now`: all of it if they are those of the attestation, or of the
/// custody that followed; else all of it is lost.
Result<Earlier> still_attested(const Environment& environment, const inventory::Machine& machine, const reading::Identities& now);

/// An entry of `satisfied`, without a reason. What the ledger holds there may be anything: what is not understood is empty.
DroppedRecipe read_satisfied(const Json& entry);

/// `satisfied` with one recipe added or raised: {"id", "version", "digest", "proof"}.
Json with_recipe(Json satisfied, const recipe::TrustedRecipe& recipe, ProofKind proof);

/// Signs with this host's attestation key.
Result<ledger::Attestation> make_attestation(const Environment& environment, const std::string& machine_uuid,
                                             const std::string& machine_name, const std::string& run_id,
                                             const reading::Identities& identities, const Json& satisfied);

}  // namespace vmpatch::engine
