#include "vmpatch/core/format.hpp"

#include "vmpatch/core/json.hpp"
#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine {

Json to_json(const Report& report) {
  Json published = Json::array();
  for (const auto& disk : report.published) published.push_back({{"target", disk.target}, {"from", disk.from.string()}, {"to", disk.to.string()}});
  return {{"schema", "vm-patch/report/v1"},
          {"run", report.run_id},
          {"plan", plan::to_json(report.plan)},
          {"kept_conffiles", report.kept_conffiles},
          {"put_back", report.put_back},
          {"remarks", report.remarks},
          {"checks", report.checks},
          {"changed_bytes", report.changed_bytes},
          {"duration_seconds", report.duration.count()},
          {"boot_proof", report.boot ? to_json(*report.boot) : Json()},
          {"proof", report.proof ? Json(to_string(*report.proof)) : Json()},
          {"dropped", to_json(report.dropped)},
          {"published", std::move(published)},
          {"stale", report.stale}};
}

Json to_json(const BootOutcome& outcome) {
  if (!outcome.up) return {{"up", false}, {"skipped", outcome.skipped}};
  return {{"up", true}, {"how", to_string(*outcome.up)}, {"seconds", outcome.took.count()}};
}

Json to_json(const std::vector<DroppedRecipe>& dropped) {
  Json all = Json::array();
  for (const auto& recipe : dropped) {
    all.push_back({{"id", recipe.id}, {"version", recipe.version}, {"digest", recipe.digest}, {"reason", recipe.reason}});
  }
  return all;
}

std::string_view to_string(ProofKind kind) {
  switch (kind) {
    case ProofKind::delivered: return "delivered";
    case ProofKind::own_lists: return "own-lists";
    case ProofKind::not_installed: return "not-installed";
  }
  return "";
}

}  // namespace vmpatch::engine
