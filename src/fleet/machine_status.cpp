#include "vmpatch/fleet/machine_status.hpp"

#include <algorithm>

#include "vmpatch/core/host.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/gate/custody.hpp"
#include "vmpatch/gate/identities.hpp"
#include "vmpatch/ledger/store.hpp"

namespace vmpatch::fleet {
namespace {

constexpr std::size_t most_runs = 100'000;

}  // namespace

Result<Verdicts> Verdicts::make(const Invocation& invocation) {
  Verdicts verdicts(invocation);
  VMPATCH_TRY(verdicts.boot_, boot_id());
  const auto opened = verdicts.open();
  if (!opened && opened.error().code != Errc::untrusted) return opened.error();
  // That is a verdict, and no reason to say nothing.
  if (!opened) verdicts.tampered_ = opened.error();
  return verdicts;
}

Result<void> Verdicts::open() {
  VMPATCH_TRY(ledger_, ledger::GateReader::open(invocation_->paths.ledger()));
  auto custody = ledger::CustodyStore::open(invocation_->paths.custody(), {.create = false});
  // Without one the hook never ran.
  if (!custody && custody.error().code == Errc::not_found) return {};
  if (!custody) return custody.error();
  custody_ = std::move(*custody);
  VMPATCH_TRY(used_overrides_, custody_->used_overrides());
  return {};
}

Result<gate::Verdict> Verdicts::of(const inventory::Machine& machine) const {
  if (!machine.local) {
    return fail(Errc::unsupported, "{} is on {}; ask vm-patch there", escape_untrusted(machine.name), escape_untrusted(machine.host));
  }
  auto verdict = tampered_ ? Result<gate::Verdict>(*tampered_) : decide(machine);
  if (!verdict && verdict.error().code == Errc::untrusted) return gate::records_tampered(verdict.error());
  return verdict;
}

/// A machine in no group needs no look at its disks, unless a run may hold them.
Result<bool> Verdicts::needs_identities(const inventory::Machine& machine) const {
  VMPATCH_TRY(const bool unfinished, ledger_->has_unfinished_runs());
  if (unfinished) return true;
  VMPATCH_TRY(const Json policy, ledger_->policy());
  try {
    return !policy.is_null() && !gate::find_group(policy, machine).is_null();
  } catch (const Json::exception&) {
    return true;  // decide() says what is wrong with it
  }
}

Result<gate::Verdict> Verdicts::decide(const inventory::Machine& machine) const {
  const Time now = invocation_->clock.now();
  std::optional<ledger::Custody> custody;
  std::optional<ledger::SavedMemory> saved;
  if (custody_) {
    VMPATCH_TRY(custody, custody_->last(machine.uuid));
    VMPATCH_TRY(saved, custody_->saved(machine.uuid));
  }
  inventory::Machine looked_at = machine;
  // A start uses no memory that is in a file of somebody's choice.
  const auto operation = machine.state == inventory::State::saved && !machine.saved_to_file ? gate::Operation::restore : gate::Operation::prepare;
  if (operation == gate::Operation::restore && saved && custody) gate::fit_to_saved(looked_at, saved->identities, *custody);
  VMPATCH_TRY(const bool needs_look, needs_identities(machine));
  const auto disks = needs_look ? gate::load_disk_facts(looked_at) : gate::DiskFacts{};
  VMPATCH_TRY(auto facts, ledger_->facts(machine.uuid, disks.keys, now));
  std::erase_if(facts.overrides, [&](const ledger::Override& entry) {
    return std::find(used_overrides_.begin(), used_overrides_.end(), entry.id) != used_overrides_.end();
  });
  const bool alive = facts.unfinished_run && ledger::is_alive(facts.unfinished_run->holder);
  return gate::decide({.operation = operation, .machine = looked_at, .facts = facts, .identities = disks.identities, .custody = custody,
                       .saved = saved, .now = now, .boot_id = boot_, .holder_alive = alive, .unknown_disks = disks.unknown});
}

Result<std::map<std::string, ledger::Run>> load_last_runs(const Invocation& invocation) {
  VMPATCH_TRY(const auto store, ledger::open_store(invocation.paths.ledger(), invocation.clock, {.create = false}));
  ledger::RunFilter filter;
  filter.limit = most_runs;
  VMPATCH_TRY(auto runs, store->runs(filter));
  std::map<std::string, ledger::Run> last;
  for (ledger::Run& run : runs) last.try_emplace(run.machine_uuid, std::move(run));  // newest first
  return last;
}

}  // namespace vmpatch::fleet
