#include "cli/common/output.hpp"
#include "cli/gate/gate_verbs.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fleet/machine_status.hpp"
#include "vmpatch/gate/decision.hpp"

namespace vmpatch::cli {
namespace {

struct Explained {
  const inventory::Machine& machine;
  gate::Verdict verdict;
  bool blocked = false;
};

Result<fleet::Verdicts> make_verdicts(const Context& context) {
  auto verdicts = fleet::Verdicts::make(context);
  if (verdicts || verdicts.error().code != Errc::not_found) return verdicts;
  return fail(Errc::not_found, "{}, so the gate denies every start if its hook is in place; run 'vm-patch gate install'",
              verdicts.error().message);
}

Result<Explained> explain_one(const Context& context, const fleet::Verdicts& verdicts, const inventory::Machine& machine) {
  VMPATCH_TRY(auto verdict, verdicts.of(machine));
  Explained explained{machine, std::move(verdict), true};
  const auto facts = ledger::read_gate_facts(context.paths.ledger(), machine.uuid, {}, context.clock.now());
  // Records that say nothing reliable have given the verdict; no group opens that.
  if (!facts && facts.error().code == Errc::untrusted) return explained;
  if (!facts) return facts.error();
  try {
    explained.blocked = gate::blocks(explained.verdict, gate::find_group(facts->policy, machine));
  } catch (const Json::exception&) {
    explained.blocked = gate::blocks(explained.verdict, {});  // decide() has said what is wrong with the policy
  }
  return explained;
}

Json to_json(const Explained& explained) {
  const gate::Verdict& verdict = explained.verdict;
  return {{"machine", {{"uuid", explained.machine.uuid}, {"name", explained.machine.name}, {"host", explained.machine.host}}},
          {"answer", gate::to_string(verdict.answer)},
          {"blocked", explained.blocked},
          {"rule", verdict.rule},
          {"group", verdict.group ? Json(*verdict.group) : Json()},
          {"reason", verdict.reason},
          {"remedy", verdict.remedy}};
}

void print_one(const Explained& explained) {
  const gate::Verdict& verdict = explained.verdict;
  const bool warns = verdict.answer != gate::Answer::allow && !explained.blocked;
  print_text(fmt::format("{}: {}{}\n  rule    {}\n  group   {}\n  reason  {}\n", escape_untrusted(explained.machine.name),
                         gate::to_string(verdict.answer), warns ? " (would start all the same: its group says so)" : "", verdict.rule,
                         verdict.group ? escape_untrusted(*verdict.group) : "-", verdict.reason));
  if (!verdict.remedy.empty()) print_text(fmt::format("  remedy  {}\n", verdict.remedy));
}

}  // namespace

Result<int> explain_verdict(Context& context, const ExplainOptions& options) {
  VMPATCH_TRY(const fleet::Selection selection, fleet::select_machines(context, options.machines));
  VMPATCH_TRY(const fleet::Verdicts verdicts, make_verdicts(context));
  bool blocked = false;
  Json json{{"schema", "vm-patch/gate-explain/v1"}, {"machines", Json::array()}};
  for (const inventory::Machine& machine : selection.machines) {
    VMPATCH_TRY(const Explained explained, explain_one(context, verdicts, machine));
    blocked = blocked || explained.blocked;
    if (context.options.json) {
      json["machines"].push_back(to_json(explained));
    } else {
      print_one(explained);
    }
  }
  if (context.options.json) print_json(json);
  return blocked ? 3 : 0;
}

}  // namespace vmpatch::cli
