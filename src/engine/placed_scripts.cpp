#include "engine/placed_scripts.hpp"

#include "vmpatch/image/identity.hpp"

namespace vmpatch::engine {
namespace {

bool ended_well(const ledger::Run& run) { return run.state == ledger::RunState::committed || run.state == ledger::RunState::attested; }

/// Digests, in hex, of the recipes of these runs, without those that were rolled back.
Result<std::set<std::string>> recipes_of(const Environment& environment, const ledger::RunFilter& filter) {
  std::set<std::string> recipes;
  VMPATCH_TRY(const auto runs, environment.store.runs(filter));
  std::set<std::string> taken_back;
  for (const auto& run : runs) {
    if (run.kind == "rollback" && ended_well(run)) taken_back.insert(run.detail.value("of", std::string()));
  }
  for (const auto& run : runs) {
    if (run.kind == "apply" && ended_well(run) && !taken_back.contains(run.id)) recipes.insert(run.recipe_digest);
  }
  return recipes;
}

}  // namespace

PlacedScripts scripts_of(const recipe::Recipe& recipe) {
  PlacedScripts scripts;
  for (const auto& step : recipe.steps) {
    if (const auto* firstboot = std::get_if<recipe::step::Firstboot>(&step)) scripts.emplace(firstboot->payload, recipe.find_payload(firstboot->payload)->sha256);
  }
  return scripts;
}

Result<PlacedScripts> placed_scripts(const Environment& environment, const recipe::Recipe& recipe, const inventory::Machine& machine,
                                     const std::vector<reading::OpenDisk>& disks) {
  if (scripts_of(recipe).empty()) return PlacedScripts();
  ledger::RunFilter of_machine;
  of_machine.machine_uuid = machine.uuid;
  VMPATCH_TRY(auto recipes, recipes_of(environment, of_machine));
  ledger::RunFilter of_disks;
  VMPATCH_TRY(const auto identities, reading::identify(disks));
  for (const auto& [target, layers] : identities) {
    for (const auto& layer : layers) of_disks.disks.push_back(image::file_id(layer));
  }
  VMPATCH_TRY(auto others, recipes_of(environment, of_disks));
  recipes.merge(others);

  PlacedScripts scripts;
  for (const auto& hex : recipes) {
    const auto digest = Digest::parse(hex);
    if (!digest) continue;
    const auto kept = environment.payloads.load_kept(*digest, environment.keyring, environment.clock.now());
    if (kept) scripts.merge(scripts_of(kept->get()));
  }
  return scripts;
}

}  // namespace vmpatch::engine
