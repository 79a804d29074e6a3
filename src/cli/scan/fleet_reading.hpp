#pragma once
// The facts of a fleet, with progress for whoever watches.

#include <functional>
#include <vector>

#include "cli/common/fleet_facts.hpp"
#include "cli/common/progress.hpp"
#include "cli/scan/scan_options.hpp"
#include "vmpatch/report/scan.hpp"

namespace vmpatch::cli {

/// QEMU writes the disks of these: what is read may be half of two states.
bool is_in_use(const inventory::Machine& machine);

/// In the order of `machines`, those in use with the reason why they are not read.
std::vector<MachineFacts> read_machines(ReadSetup& setup, const std::vector<inventory::Machine>& machines, const ScanOptions& options,
                                        ProgressDisplay& display, Time now);

/// For each of `machines` what `ask` says of it at each of its snapshots, in their order; nothing for one that was not read itself.
/// The facts are let go as soon as they are asked: there may be many more snapshots than machines.
using AskSnapshot = std::function<Result<report::Lag>(const MachineFacts&)>;
std::vector<std::vector<Result<report::Lag>>> ask_snapshots(ReadSetup& setup, const std::vector<MachineFacts>& machines, const ScanOptions& options,
                                                            ProgressDisplay& display, const AskSnapshot& ask);

}  // namespace vmpatch::cli
