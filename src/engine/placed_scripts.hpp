#pragma once
// Which firstboot scripts vm-patch itself left on a machine's disks. A script that lies there as "has run" counts only for these: anybody
// who prepares an image can put such a file there.

#include <set>
#include <string>
#include <utility>

#include "vmpatch/engine/engine.hpp"
#include "vmpatch/reading/disks.hpp"

namespace vmpatch::engine {

using PlacedScripts = std::set<std::pair<std::string, Digest>>;  ///< by the name of the payload, which is that of the script

/// Of the runs of the ledger that ended well on this machine, or on any layer of its disks (a clone has what its template had). Nothing is
/// asked for a recipe without such a step. A recipe that is not kept any more, or is not trusted as it is now, left none.
Result<PlacedScripts> placed_scripts(const Environment& environment, const recipe::Recipe& recipe, const inventory::Machine& machine,
                                     const std::vector<reading::OpenDisk>& disks);

/// The recipe's own: what an attestation that names it has seen in its place.
PlacedScripts scripts_of(const recipe::Recipe& recipe);

}  // namespace vmpatch::engine
