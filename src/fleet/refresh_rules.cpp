#include "vmpatch/fleet/refresh_rules.hpp"

#include <algorithm>

#include "vmpatch/gate/decision.hpp"

namespace vmpatch::fleet {

MachineRules RefreshRules::of(const inventory::Machine& machine) const {
  MachineRules found;
  const Json group = machine.bare ? Json() : gate::find_group(groups_, machine);
  if (group.is_object()) found.group = group.value("name", "");
  const auto configured = std::find_if(policy_->groups.begin(), policy_->groups.end(), [&](const auto& one) { return one.name == found.group; });
  if (!found.group.empty() && configured != policy_->groups.end()) {
    found.rules.mode = configured->refresh.mode.value_or(repository::Mode::security);
    found.rules.exclude = configured->refresh.exclude;
    found.never = configured->refresh.never;
    found.halt_after = configured->refresh.halt_after;
  }
  if (asked_.mode) found.rules.mode = *asked_.mode;
  found.rules.exclude.insert(found.rules.exclude.end(), asked_.exclude.begin(), asked_.exclude.end());
  return found;
}

}  // namespace vmpatch::fleet
