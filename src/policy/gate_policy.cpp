#include "vmpatch/policy/policy.hpp"

#include "vmpatch/core/json.hpp"

namespace vmpatch::policy {
namespace {

Json baseline_json(const Baseline& baseline) {
  Json recipes = Json::object();
  for (const auto& [id, version] : baseline.recipes) recipes[id] = version;
  return {{"attested", baseline.attested},
          {"max_age", baseline.max_age ? Json(baseline.max_age->count()) : Json()},
          {"recipes", std::move(recipes)},
          {"proof", baseline.delivered_proof ? "delivered" : "any"}};
}

}  // namespace

Json gate_policy_json(const Policy& policy) {
  Json groups = Json::array();
  for (const Group& group : policy.groups) {
    groups.push_back({{"name", group.name},
                      {"match", {{"names", group.names}, {"uuids", group.uuids}, {"metadata_groups", group.metadata_groups}}},
                      {"baseline", baseline_json(group.baseline)},
                      {"on_error", group.closed_on_error ? "closed" : "open"},
                      {"action", group.deny ? "deny" : "warn"}});
  }
  return {{"schema", "vm-patch/gate-policy/v1"}, {"groups", std::move(groups)}};
}

}  // namespace vmpatch::policy
