#pragma once
// The facts of a fleet, with progress for whoever watches.

#include <vector>

#include "cli/common/fleet_facts.hpp"
#include "cli/common/progress.hpp"
#include "cli/scan/scan_options.hpp"

namespace vmpatch::cli {

/// QEMU writes the disks of these: what is read may be half of two states.
bool is_in_use(const inventory::Machine& machine);

/// In the order of `machines`, those in use with the reason why they are not read.
std::vector<MachineFacts> read_machines(ReadSetup& setup, const std::vector<inventory::Machine>& machines, const ScanOptions& options,
                                        ProgressDisplay& display, Time now);

/// For each of `machines` what it would be at each of its snapshots, in their order; nothing for one that was not read itself.
std::vector<std::vector<MachineFacts>> read_snapshots(ReadSetup& setup, const std::vector<MachineFacts>& machines,
                                                      const ScanOptions& options, ProgressDisplay& display, Time now);

}  // namespace vmpatch::cli
