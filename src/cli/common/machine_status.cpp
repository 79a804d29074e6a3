#include "cli/common/machine_status.hpp"

#include <algorithm>

#include "vmpatch/core/host.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/gate/identities.hpp"
#include "vmpatch/ledger/store.hpp"

namespace vmpatch::cli {
namespace {

constexpr std::size_t most_runs = 100'000;

/// What the hook's own records add to the ledger's.
struct Records {
  std::optional<ledger::Custody> custody;
  std::optional<Json> saved;
};

Result<Records> load_records(const Context& context, const std::string& uuid, ledger::GateFacts& facts) {
  Records records;
  std::error_code error;
  // Opening makes the file; without one the hook never ran.
  if (!fs::exists(context.paths.custody(), error)) return records;
  VMPATCH_TRY(const auto store, ledger::CustodyStore::open(context.paths.custody()));
  VMPATCH_TRY(records.custody, store->last(uuid));
  VMPATCH_TRY(records.saved, store->saved(uuid));
  VMPATCH_TRY(const auto used, store->used_overrides());
  std::erase_if(facts.overrides, [&](const ledger::Override& entry) { return std::find(used.begin(), used.end(), entry.id) != used.end(); });
  return records;
}

}  // namespace

Result<gate::Verdict> current_verdict(const Context& context, const inventory::Machine& machine) {
  if (!machine.local) {
    return fail(Errc::unsupported, "{} is on {}; ask vm-patch there", escape_untrusted(machine.name), escape_untrusted(machine.host));
  }
  VMPATCH_TRY(auto facts, ledger::read_gate_facts(context.paths.ledger(), machine.uuid, context.clock.now()));
  VMPATCH_TRY(const auto records, load_records(context, machine.uuid, facts));
  VMPATCH_TRY(const auto boot, boot_id());
  inventory::Machine looked_at = machine;
  // A machine in no group needs no look at its disks.
  const bool in_group = !facts.policy.is_null() && !gate::find_group(facts.policy, machine).is_null();
  const auto identities = in_group ? gate::load_identities(looked_at) : gate::Identities{};
  const auto operation = machine.state == inventory::State::saved ? gate::Operation::restore : gate::Operation::prepare;
  const bool alive = facts.unfinished_run && ledger::is_alive(facts.unfinished_run->holder);
  return gate::decide({operation, looked_at, facts, identities, records.custody, records.saved, context.clock.now(), boot, alive});
}

Result<std::map<std::string, ledger::Run>> load_last_runs(const Context& context) {
  std::error_code error;
  if (!fs::exists(context.paths.ledger(), error)) return fail(Errc::not_found, "there is no ledger {}", context.paths.ledger().native());
  VMPATCH_TRY(const auto store, ledger::open_store(context.paths.ledger(), context.clock));
  ledger::RunFilter filter;
  filter.limit = most_runs;
  VMPATCH_TRY(auto runs, store->runs(filter));
  std::map<std::string, ledger::Run> last;
  for (ledger::Run& run : runs) last.try_emplace(run.machine_uuid, std::move(run));  // newest first
  return last;
}

}  // namespace vmpatch::cli
