#include "vmpatch/fleet/refresh_rules.hpp"

#include "vmpatch/fleet/group_of.hpp"

namespace vmpatch::fleet {

MachineRules RefreshRules::of(const inventory::Machine& machine) const {
  MachineRules found;
  if (const auto* configured = group_of(*policy_, groups_, machine)) {
    found.group = configured->name;
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
