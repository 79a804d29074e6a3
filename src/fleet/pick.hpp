#pragma once

#include <vector>

#include "vmpatch/core/json_fwd.hpp"
#include "vmpatch/fleet/selection.hpp"

namespace vmpatch::fleet {

/// The machines of the inventory that the options name, each once. Folders, if any, are the last of the inventory's hosts.
/// Errors: not_found, refused, as of select_machines().
Result<std::vector<inventory::Machine>> pick(const inventory::Inventory& inventory, const MachineOptions& options, const Json& gate_policy);

}  // namespace vmpatch::fleet
