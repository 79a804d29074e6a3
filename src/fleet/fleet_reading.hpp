#pragma once
// The facts of a fleet and of its snapshots.

#include <functional>
#include <vector>

#include "vmpatch/fleet/survey.hpp"

namespace vmpatch::fleet {

/// In the order of `machines`, those in use with the reason why they are not read.
std::vector<MachineFacts> read_machines(ReadSetup& setup, const std::vector<inventory::Machine>& machines, const FleetOptions& options,
                                        const TellProgress& tell, Time now);

/// For each of `machines` what `ask` says of it at each of its snapshots, in their order; nothing for one that was not read itself.
/// The facts are let go as soon as they are asked: there may be many more snapshots than machines.
using AskSnapshot = std::function<Result<report::Lag>(const MachineFacts&)>;
std::vector<std::vector<Result<report::Lag>>> ask_snapshots(ReadSetup& setup, const std::vector<MachineFacts>& machines, const FleetOptions& options,
                                                            const TellProgress& tell, const AskSnapshot& ask);

}  // namespace vmpatch::fleet
