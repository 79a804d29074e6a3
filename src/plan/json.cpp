#include "vmpatch/core/json.hpp"

#include "vmpatch/plan/plan.hpp"

namespace vmpatch::plan {

Json to_json(const Plan& plan) {
  Json packages = Json::array();
  for (const auto& change : plan.packages) {
    packages.push_back({{"name", change.name},
                        {"arch", change.arch},
                        {"payload", change.payload},
                        {"from", change.is_new() ? Json(nullptr) : Json(change.from)},
                        {"to", change.to}});
  }
  return Json{{"schema", "vm-patch/plan/v1"},
              {"machine", {{"uuid", plan.machine_uuid}, {"name", plan.machine_name}, {"host", plan.host}}},
              {"recipe",
               {{"id", plan.recipe_id},
                {"version", plan.recipe_version},
                {"title", plan.recipe_title},
                {"digest", plan.recipe_digest},
                {"severity", plan.severity},
                {"fixes", plan.fixes}}},
              {"outcome", to_string(plan.outcome)},
              {"reasons", plan.reasons},
              {"packages", std::move(packages)},
              {"skipped", plan.skipped},
              {"steps", plan.steps},
              {"removals", plan.removals},
              {"pending", plan.pending},
              {"notes", plan.notes},
              {"space_needed", plan.space_needed}};
}

}  // namespace vmpatch::plan
