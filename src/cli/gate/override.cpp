#include "cli/common/output.hpp"
#include "cli/gate/gate_verbs.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/uuid.hpp"
#include "vmpatch/fleet/ledger.hpp"
#include "vmpatch/gate/identities.hpp"
#include "vmpatch/ledger/gate_view.hpp"

namespace vmpatch::cli {
namespace {

constexpr Seconds longest{4 * 3600};

Result<gate::DiskFacts> known_disks(inventory::Machine machine) {
  gate::DiskFacts facts = gate::load_disk_facts(machine);
  for (const inventory::Disk& disk : machine.disks) {
    if (gate::has_identity(disk) && !facts.identities.contains(disk.target)) {
      return fail(Errc::refused, "disk {} of {} cannot be identified, and an override holds for disks: {}", escape_untrusted(disk.target),
                  escape_untrusted(machine.name), disk.problem);
    }
  }
  return facts;
}

Result<void> check_no_run(const Context& context, const inventory::Machine& machine, const gate::DiskFacts& disks) {
  VMPATCH_TRY(const auto facts, ledger::read_gate_facts(context.paths.ledger(), machine.uuid, disks.keys, context.clock.now()));
  if (!facts.unfinished_run) return {};
  const ledger::Run& run = *facts.unfinished_run;
  using ledger::RunState;
  const bool writes = run.state == RunState::committing || run.state == RunState::committed || run.state == RunState::quarantined;
  if (!writes && !ledger::is_alive(run.holder)) return {};
  return fail(Errc::refused, "run {} of {} is {}: no override helps while its disks are being written; run 'vm-patch recover'", run.id,
              escape_untrusted(machine.name), to_string(run.state));
}

}  // namespace

Result<int> override_gate(Context& context, const OverrideOptions& options) {
  VMPATCH_TRY(const Seconds duration, parse_duration(options.duration));
  if (duration > longest) return fail(Errc::usage, "--for {} is too long; an override holds for 4h at most", options.duration);
  if (trim(options.reason).empty()) return fail(Errc::usage, "--reason is empty; say why");
  VMPATCH_TRY(const fleet::Selection selection, fleet::select_machines(context, options.machines));
  if (selection.machines.size() != 1) return fail(Errc::usage, "an override is for one machine, {} are named", selection.machines.size());
  const inventory::Machine& machine = selection.machines.front();
  VMPATCH_TRY(const auto policy, policy::load_policy(context.paths.config));
  VMPATCH_TRY(const auto store, fleet::open_ledger(context, policy));
  VMPATCH_TRY(const auto disks, known_disks(machine));
  VMPATCH_CHECK(check_no_run(context, machine, disks));
  ledger::Override entry;
  entry.id = random_uuid();
  entry.machine_uuid = machine.uuid;
  entry.identities = gate::to_json(disks.identities);
  entry.reason = options.reason;
  entry.created = context.clock.now();
  entry.expires = entry.created + duration;
  VMPATCH_CHECK(store->add_override(entry));
  if (context.options.json) {
    print_json({{"schema", "vm-patch/gate-override/v1"}, {"id", entry.id}, {"machine", {{"uuid", machine.uuid}, {"name", machine.name}}},
                {"expires", format_time(entry.expires)}});
  } else {
    print_text(fmt::format("{} may start once until {} (override {})\n", escape_untrusted(machine.name), format_time(entry.expires), entry.id));
  }
  return 0;
}

}  // namespace vmpatch::cli
