#pragma once
// Facts of many machines, read side by side, from the cache where the disks did not change.

#include <functional>
#include <vector>

#include "vmpatch/fleet/engine_setup.hpp"
#include "vmpatch/guest/facts.hpp"

namespace vmpatch::fleet {

struct MachineFacts {
  inventory::Machine machine;
  Result<guest::Facts> facts;  ///< why not, for a machine that cannot be read
  bool cached = false;         ///< read earlier; its disks have the identity that they had then
  Time read{};                 ///< when
};

struct FleetOptions {
  bool fresh = false;  ///< read again whatever the cache holds
  unsigned jobs = 0;   ///< side by side; 0 = the policy's
};

/// QEMU writes the disks of these: what is read may be half of two states.
bool is_in_use(const inventory::Machine& machine);

/// In the order of `machines`. Each answer is handed out as it comes, one at a time.
void read_fleet(ReadSetup& setup, const std::vector<inventory::Machine>& machines, const FleetOptions& options,
                const std::function<void(MachineFacts)>& each);

}  // namespace vmpatch::fleet
