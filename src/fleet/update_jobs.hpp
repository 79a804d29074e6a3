#pragma once
// Signed recipes of updates, one for all machines that need the same.

#include <list>
#include <map>

#include "vmpatch/engine/engine.hpp"
#include "vmpatch/fleet/engine_setup.hpp"
#include "vmpatch/fleet/repositories.hpp"

namespace vmpatch::fleet {

class UpdateJobs {
 public:
  /// All outlive it, and it outlives the jobs. Recipes are issued now.
  UpdateJobs(const Invocation& invocation, EngineSetup& setup, Repositories& repositories, const trust::PrivateKey& key);

  /// Fetches what the store lacks, makes the recipe, signs it, and has it verified like any other. Not for several threads at once.
  /// Errors: those of repository::Repositories::fetch(), make_update_recipe() and of verification.
  Result<const engine::Job*> job_for(const MachineUpdate& update);

 private:
  struct Made {
    recipe::TrustedRecipe recipe;
    std::optional<engine::Job> job;
  };
  Result<const engine::Job*> fetch_and_make(const MachineUpdate& update, const recipe::Recipe& recipe);
  Result<Made*> make(const recipe::Recipe& recipe);
  const Invocation& invocation_;
  EngineSetup& setup_;
  Repositories& repositories_;
  const trust::PrivateKey& key_;
  Time issued_;
  std::list<Made> made_;                      ///< stay where they are
  std::map<std::string, Result<const engine::Job*>> by_id_;  ///< what failed is not tried again for the next machine
};

}  // namespace vmpatch::fleet
