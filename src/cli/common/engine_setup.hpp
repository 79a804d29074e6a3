#pragma once
// From an invocation's context to what the engine works with. Used by plan, apply, verify, inspect, recover, rollback.

#include <memory>

#include "cli/common/machines.hpp"
#include "vmpatch/cli/context.hpp"
#include "vmpatch/engine/engine.hpp"
#include "vmpatch/policy/policy.hpp"

namespace vmpatch::cli {

class EngineSetup {
 public:
  static Result<std::unique_ptr<EngineSetup>> make(Context& context, engine::Observer& observer, Log& log);
  [[nodiscard]] engine::Environment& environment() { return *environment_; }
  [[nodiscard]] recipe::PayloadStore& payloads() { return *payloads_; }
  [[nodiscard]] ledger::Store& store() { return *store_; }
  [[nodiscard]] const policy::Policy& policy() const { return policy_; }

  /// Selects machines and lets the engine open their backing files and read them again.
  Result<std::vector<inventory::Machine>> select(Context& context, const MachineOptions& options);  ///< call once

  /// Loads and verifies a bundle with the trusted keys; payloads land in the store.
  Result<recipe::TrustedRecipe> load_recipe(const Context& context, const fs::path& bundle);

  /// The work that this recipe, loaded from that bundle, asks for. The recipe must outlive it.
  Result<engine::Job> make_job(const recipe::TrustedRecipe& recipe, const fs::path& bundle);

 private:
  EngineSetup() = default;
  policy::Policy policy_;
  std::unique_ptr<guest::GuestOpener> opener_;
  std::unique_ptr<ledger::Store> store_;
  std::unique_ptr<ledger::CustodyStore> custody_;
  std::optional<recipe::PayloadStore> payloads_;
  std::optional<engine::Environment> environment_;
  Selection selection_;
};

/// Every writing command ends interrupted runs first. What could not be ended is an error only if `strict`.
Result<void> recover_first(EngineSetup& setup, Log& log);

/// For the crash test: called around every transition of a run.
void set_transition_hook(std::function<void(std::string_view when, std::string_view state)> hook);

}  // namespace vmpatch::cli
