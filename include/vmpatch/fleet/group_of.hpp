#pragma once
// In which of the configuration's groups a machine is.

#include "vmpatch/core/json.hpp"
#include "vmpatch/inventory/machine.hpp"
#include "vmpatch/policy/policy.hpp"

namespace vmpatch::fleet {

/// The one that the gate knows it in; null = in none, as any bare image. `gate_policy`: policy::gate_policy_json() of the same policy.
const policy::Group* group_of(const policy::Policy& policy, const Json& gate_policy, const inventory::Machine& machine);

}  // namespace vmpatch::fleet
