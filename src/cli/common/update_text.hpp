#pragma once
// What repositories would change, for people and programs.

#include <string>

#include "vmpatch/fleet/repositories.hpp"

namespace vmpatch::cli {

/// Several lines, ends with a newline. `verbose`: also the order of operations, and what is not needed any more.
std::string format_update(const inventory::Machine& machine, const fleet::MachineUpdate& update, bool verbose);

/// {"machine", "suites": […], "update": vm-patch/update/v1}
Json update_json(const inventory::Machine& machine, const fleet::MachineUpdate& update);

/// As vm-patch/suite/v1, without what only this program needs.
Json suite_json(const repository::Suite& suite);

}  // namespace vmpatch::cli
