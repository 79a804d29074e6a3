#pragma once
// From an invocation to what the engine works with.

#include <memory>
#include <set>

#include "vmpatch/core/json.hpp"
#include "vmpatch/engine/engine.hpp"
#include "vmpatch/fleet/invocation.hpp"
#include "vmpatch/fleet/selection.hpp"
#include "vmpatch/image/backing.hpp"
#include "vmpatch/policy/policy.hpp"

namespace vmpatch::fleet {

/// For those that only read guests: opens no ledger.
class ReadSetup {
 public:
  static Result<std::unique_ptr<ReadSetup>> make(const Invocation& invocation, reading::Observer& observer, Log& log);
  virtual ~ReadSetup() = default;
  [[nodiscard]] const policy::Policy& policy() const { return policy_; }
  [[nodiscard]] virtual reading::Environment& reading() { return *reading_; }

  /// Selects machines and lets the engine open their backing files and read them again.
  Result<std::vector<inventory::Machine>> select(const Invocation& invocation, const MachineOptions& options);  ///< call once
  [[nodiscard]] const Selection& selection() const { return selection_; }  ///< what it found

 protected:
  ReadSetup() = default;
  Result<void> prepare(const Invocation& invocation, reading::Observer& observer, Log& log);
  /// What select() found out; EngineSetup lets the engine read machines again.
  virtual void use(const Selection& selection);

  policy::Policy policy_;
  std::unique_ptr<guest::GuestOpener> opener_;
  std::unique_ptr<ledger::FactsCache> facts_cache_;
  std::optional<reading::Environment> reading_;
  Selection selection_;
};

/// For plan, apply, verify, recover, rollback.
class EngineSetup final : public ReadSetup {
 public:
  static Result<std::unique_ptr<EngineSetup>> make(const Invocation& invocation, reading::Observer& observer, Log& log);
  [[nodiscard]] engine::Environment& environment() { return *environment_; }
  [[nodiscard]] reading::Environment& reading() override { return *environment_; }
  [[nodiscard]] recipe::PayloadStore& payloads() { return *payloads_; }
  [[nodiscard]] ledger::Store& store() { return *store_; }

  /// The operator answers for a libvirt that does not: no machine uses the disks of interrupted runs, whichever they are.
  void answer_for_all() { answered_for_all_ = true; }
  /// The same for these images only. One that is not there is not answered for.
  void answer_for(const std::vector<fs::path>& images);

  /// Of this invocation, in place of what the configuration and its groups say.
  void set_boot_proof(std::optional<policy::BootProof> wanted) { boot_proof_ = wanted; }

  /// Loads and verifies a bundle with the trusted keys; payloads land in the store.
  Result<recipe::TrustedRecipe> load_recipe(const Invocation& invocation, const fs::path& bundle);

  /// The work that this recipe, loaded from that bundle, asks for. The recipe must outlive it.
  Result<engine::Job> make_job(const recipe::TrustedRecipe& recipe, const fs::path& bundle);

 private:
  EngineSetup() = default;
  void use(const Selection& selection) override;
  Result<void> open_stores(const Invocation& invocation);
  [[nodiscard]] bool is_answered_for(const std::vector<inventory::BareImage>& images) const;
  [[nodiscard]] engine::BootRule boot_rule(const inventory::Machine& machine) const;
  std::optional<policy::BootProof> boot_proof_;
  Json gate_policy_;
  bool answered_for_all_ = false;
  std::set<image::FileKey> answered_for_;
  std::unique_ptr<ledger::Store> store_;
  std::unique_ptr<ledger::CustodyStore> custody_;
  std::optional<recipe::PayloadStore> payloads_;
  std::optional<engine::Environment> environment_;
};

/// Every writing command ends interrupted runs first. What could not be ended is a warning.
Result<void> recover_first(EngineSetup& setup, Log& log);

/// For the crash test: called around every transition of a run; see engine::Environment.
void set_transition_hook(std::function<Result<void>(std::string_view when, std::string_view state)> hook);
/// For tests of what lies below a guest: what opens guests instead of make_guest_opener().
void set_guest_opener(std::function<std::unique_ptr<guest::GuestOpener>(Log& log)> make);

}  // namespace vmpatch::fleet
