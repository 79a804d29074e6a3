#pragma once
// What a refresh may do with one machine: the configuration's group, and what the command line says.

#include <optional>
#include <string>
#include <vector>

#include "vmpatch/core/json.hpp"
#include "vmpatch/inventory/machine.hpp"
#include "vmpatch/policy/policy.hpp"

namespace vmpatch::fleet {

/// Of a command line.
struct AskedRules {
  std::optional<repository::Mode> mode;  ///< goes before the group's
  std::vector<std::string> exclude;      ///< beside the group's
};

struct MachineRules {
  repository::Rules rules;
  std::string group;                    ///< empty: it is in none
  bool never = false;                   ///< the group's machines are not refreshed
  std::optional<unsigned> halt_after;
};

/// By the group that the gate knows the machine in. A bare image is in none.
class RefreshRules {
 public:
  RefreshRules(const policy::Policy& policy, AskedRules asked) : policy_(&policy), groups_(policy::gate_policy_json(policy)), asked_(std::move(asked)) {}
  [[nodiscard]] MachineRules of(const inventory::Machine& machine) const;

 private:
  const policy::Policy* policy_;
  Json groups_;
  AskedRules asked_;
};

}  // namespace vmpatch::fleet
