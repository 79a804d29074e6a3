#include "fleet/update_jobs.hpp"

#include "vmpatch/recipe/trust_file.hpp"
#include "vmpatch/repository/update_recipe.hpp"

namespace vmpatch::fleet {

UpdateJobs::UpdateJobs(const Invocation& invocation, EngineSetup& setup, Repositories& repositories, const trust::PrivateKey& key)
    : invocation_(invocation), setup_(setup), repositories_(repositories), key_(key), issued_(invocation.clock.now()) {}

Result<const engine::Job*> UpdateJobs::job_for(const MachineUpdate& update) {
  VMPATCH_TRY(const auto recipe, repository::make_update_recipe(update.update, update.snapshot, update.facts, issued_));
  if (const auto made = by_id_.find(recipe.id); made != by_id_.end()) return made->second;
  return by_id_.emplace(recipe.id, fetch_and_make(update, recipe)).first->second;
}

Result<const engine::Job*> UpdateJobs::fetch_and_make(const MachineUpdate& update, const recipe::Recipe& recipe) {
  VMPATCH_TRY(const auto sources, repositories_.named({}));
  VMPATCH_CHECK(repositories_.port().fetch(update.update, sources, setup_.payloads()));
  VMPATCH_TRY(const Made* made, make(recipe));
  return &*made->job;
}

/// There is no second way: what was made here is believed for its signature alone.
Result<UpdateJobs::Made*> UpdateJobs::make(const recipe::Recipe& recipe) {
  trust::Envelope envelope{std::string(trust::recipe_payload_type), recipe::write_recipe(recipe), {}};
  VMPATCH_CHECK(trust::add_signature(envelope, key_));
  VMPATCH_TRY(const auto keyring, recipe::load_trust_file(invocation_.paths.trust));
  VMPATCH_TRY(auto trusted, recipe::admit_envelope(envelope, keyring, invocation_.clock.now(), setup_.payloads(), "recipe " + recipe.id));
  made_.push_back({std::move(trusted), std::nullopt});
  Made& made = made_.back();
  VMPATCH_TRY(auto job, engine::make_job(made.recipe, setup_.payloads(), setup_.store()));
  made.job.emplace(std::move(job));
  return &made;
}

}  // namespace vmpatch::fleet
