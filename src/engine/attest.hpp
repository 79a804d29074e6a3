#pragma once
// Signed statements about disk identities, and the continuity between them.

#include "engine/disks.hpp"
#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine {

/// Recipes that still hold on the machine because its disks are those of its last attestation, or of the custody that
/// followed it. [] otherwise.
Result<Json> still_satisfied(const Environment& environment, const inventory::Machine& machine, const Identities& now);

/// `satisfied` with one recipe added or raised.
Json with_recipe(Json satisfied, const std::string& id, std::uint32_t version, const std::string& digest);

/// Signs with this host's attestation key (KEYS/attest, made at first use).
Result<ledger::Attestation> make_attestation(const Environment& environment, const std::string& machine_uuid,
                                             const std::string& machine_name, const std::string& run_id,
                                             const Identities& identities, const Json& satisfied);

}  // namespace vmpatch::engine
