#include "vmpatch/fleet/engine_setup.hpp"

#include <algorithm>

#include "fleet/image_users.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/engine/reserve.hpp"
#include "vmpatch/fleet/group_of.hpp"
#include "vmpatch/fleet/ledger.hpp"
#include "vmpatch/recipe/trust_file.hpp"

namespace vmpatch::fleet {
namespace {

std::function<Result<void>(std::string_view, std::string_view)>& transition_hook() {
  static std::function<Result<void>(std::string_view, std::string_view)> hook;
  return hook;
}

std::function<std::unique_ptr<guest::GuestOpener>(Log&)>& opener_maker() {
  static std::function<std::unique_ptr<guest::GuestOpener>(Log&)> make = guest::make_guest_opener;
  return make;
}

reading::Places places_of(const Paths& paths) { return {paths.logs(), paths.cache, paths.scratch}; }

engine::RunPlaces run_places_of(const Paths& paths) { return {paths.runs(), paths.undo(), paths.keys(), paths.signing_key()}; }

}  // namespace

void set_transition_hook(std::function<Result<void>(std::string_view, std::string_view)> hook) {
  transition_hook() = std::move(hook);
}

void set_guest_opener(std::function<std::unique_ptr<guest::GuestOpener>(Log&)> make) { opener_maker() = std::move(make); }

Result<void> ReadSetup::prepare(const Invocation& invocation, reading::Observer& observer, Log& log) {
  VMPATCH_TRY(policy_, policy::load_policy(invocation.paths.config));
  opener_ = opener_maker()(log);
  // Without the cache everything works, only slower.
  auto cache = ledger::FactsCache::open(invocation.paths.facts());
  if (cache) {
    facts_cache_ = std::move(*cache);
  } else {
    log.warn("facts are not cached: {}", cache.error().message);
  }
  reading_.emplace(reading::Environment{*opener_, invocation.clock, log, observer, places_of(invocation.paths), facts_cache_.get(), {}});
  return {};
}

Result<std::unique_ptr<ReadSetup>> ReadSetup::make(const Invocation& invocation, reading::Observer& observer, Log& log) {
  std::unique_ptr<ReadSetup> setup(new ReadSetup());
  VMPATCH_CHECK(setup->prepare(invocation, observer, log));
  return setup;
}

void ReadSetup::use(const Selection& selection) { reading_->allowed_dirs = selection.allowed_dirs; }

Result<std::vector<inventory::Machine>> ReadSetup::select(const Invocation& invocation, const MachineOptions& options) {
  VMPATCH_TRY(selection_, select_machines(invocation, options));
  use(selection_);
  return selection_.machines;
}

Result<std::unique_ptr<EngineSetup>> EngineSetup::make(const Invocation& invocation, reading::Observer& observer, Log& log) {
  std::unique_ptr<EngineSetup> setup(new EngineSetup());
  VMPATCH_CHECK(setup->prepare(invocation, observer, log));
  auto opened = setup->open_stores(invocation);
  if (!opened && engine::is_no_room(opened.error()) && engine::give_back_reserve(run_places_of(invocation.paths))) opened = setup->open_stores(invocation);
  VMPATCH_CHECK(opened);
  setup->environment_.emplace(engine::Environment{*setup->reading_, run_places_of(invocation.paths), *setup->store_, *setup->custody_, *setup->payloads_,
                                                  setup->policy_.space_reserve, {}, {}, {}, transition_hook()});
  // Rollback and recovery prove again what was attested. Without keys they attest nothing, and end well.
  auto keyring = recipe::load_trust_file(invocation.paths.trust);
  if (!keyring) log.warn("no recipe can be proved again: {}", keyring.error().message);
  if (keyring) setup->environment_->keyring = std::move(*keyring);
  setup->gate_policy_ = policy::gate_policy_json(setup->policy_);
  setup->environment_->boot_rule = [&setup = *setup](const inventory::Machine& machine) { return setup.boot_rule(machine); };
  setup->environment_->boot = proof::boot;
  setup->environment_->users_of = [&invocation, &setup = *setup](const std::vector<inventory::BareImage>& images) {
    return find_image_users(invocation, images, setup.is_answered_for(images));
  };
  setup->environment_->move_disks = [&invocation](const inventory::Machine& machine, const std::vector<inventory::DiskMove>& moves) {
    return inventory::make_libvirt_control(machine.host, invocation.log)->move_disks(machine.uuid, moves);
  };
  return setup;
}

Result<void> EngineSetup::open_stores(const Invocation& invocation) {
  VMPATCH_TRY(store_, open_ledger(invocation, policy_));
  VMPATCH_TRY(custody_, ledger::CustodyStore::open(invocation.paths.custody()));
  VMPATCH_TRY(payloads_, recipe::PayloadStore::open(invocation.paths.payloads()));
  return {};
}

engine::BootRule EngineSetup::boot_rule(const inventory::Machine& machine) const {
  engine::BootRule rule;
  const auto take = [&](const policy::BootRule& said) {
    rule.proof = said.proof.value_or(rule.proof);
    rule.timeout = said.timeout.value_or(rule.timeout);
  };
  take(policy_.boot);
  if (const auto* group = group_of(policy_, gate_policy_, machine)) take(group->boot);
  rule.proof = boot_proof_.value_or(rule.proof);
  return rule;
}

void EngineSetup::answer_for(const std::vector<fs::path>& images) {
  for (const auto& image : images) {
    if (const auto key = image::file_key(image)) answered_for_.insert(*key);
  }
}

bool EngineSetup::is_answered_for(const std::vector<inventory::BareImage>& images) const {
  return answered_for_all_ || std::all_of(images.begin(), images.end(), [&](const inventory::BareImage& image) {
           const auto key = image::file_key(image.path);
           return key && answered_for_.contains(*key);
         });
}

void EngineSetup::use(const Selection& selection) {
  environment_->allowed_dirs = selection.allowed_dirs;
  environment_->reread = selection.reread;
}

Result<recipe::TrustedRecipe> EngineSetup::load_recipe(const Invocation& invocation, const fs::path& bundle) {
  VMPATCH_TRY(environment_->keyring, recipe::load_trust_file(invocation.paths.trust));
  return recipe::load_bundle(bundle, environment_->keyring, invocation.clock.now(), *payloads_);
}

Result<engine::Job> EngineSetup::make_job(const recipe::TrustedRecipe& recipe, const fs::path& bundle) {
  auto job = engine::make_job(recipe, *payloads_, *store_);
  if (!job) return job.error().in(bundle.string());
  return job;
}

Result<void> recover_first(EngineSetup& setup, Log& log) {
  VMPATCH_TRY(const auto all, engine::recover(setup.environment(), false));
  for (const auto& entry : all) {
    if (entry.action == "held") continue;
    log.warn("{}: run {} {}: {}", escape_untrusted(entry.run.machine_name), entry.run.id, entry.action, entry.message);
  }
  return {};
}

}  // namespace vmpatch::fleet
