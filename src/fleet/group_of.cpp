#include "vmpatch/fleet/group_of.hpp"

#include <algorithm>

#include "vmpatch/gate/decision.hpp"

namespace vmpatch::fleet {

const policy::Group* group_of(const policy::Policy& policy, const Json& gate_policy, const inventory::Machine& machine) {
  const Json found = machine.bare ? Json() : gate::find_group(gate_policy, machine);
  if (!found.is_object()) return nullptr;
  const auto group = std::find_if(policy.groups.begin(), policy.groups.end(), [&](const auto& one) { return one.name == found.value("name", ""); });
  return group == policy.groups.end() ? nullptr : &*group;
}

}  // namespace vmpatch::fleet
