#pragma once
// A machine as it would be after a revert.

#include "cli/common/machines.hpp"

namespace vmpatch::cli {

/// --snapshot, for verbs that only read.
void add_snapshot_option(CLI::App& verb, MachineOptions& options);

/// Errc::not_found: a machine has no such snapshot (the message names those that it has); refused: it cannot be looked at, or
/// several have this name.
Result<void> go_to_snapshot(std::vector<inventory::Machine>& machines, const std::string& name);

}  // namespace vmpatch::cli
