#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/core/json.hpp"
#include "vmpatch/inventory/source.hpp"

namespace vmpatch::cli {

/// What others know about a machine; empty = not known.
struct MachineStatus {
  std::optional<Json> last_run;  ///< {"id", "state", "recipe", "version", "time"}
  std::optional<Json> verdict;   ///< {"answer", "rule", "reason", "remedy"}
};
using StatusOf = std::function<MachineStatus(const inventory::Machine&)>;

/// NAME, STATE, ROLE, DISKS, LAST RUN, VERDICT.
std::vector<std::string> machine_titles();
std::vector<std::string> format_machine(const inventory::Machine& machine, const MachineStatus& status);

}  // namespace vmpatch::cli
