#pragma once

#include <string>
#include <vector>

#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::fleet {

/// Every machine becomes what it would be after a revert to its snapshot of this name. Errc::not_found: a machine has no such snapshot (the message names those that it has); refused: it cannot be looked at, or
/// several have this name.
Result<void> go_to_snapshot(std::vector<inventory::Machine>& machines, const std::string& name);

}  // namespace vmpatch::fleet
