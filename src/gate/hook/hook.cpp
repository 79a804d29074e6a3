#include "gate/hook/hook.hpp"

#include <unistd.h>

#include <algorithm>

#include "gate/hook/alarm.hpp"
#include "gate/rules.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/host.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/ledger/store.hpp"

namespace vmpatch::gate {
namespace {

constexpr int patience_ms = 1500;  // below the alarm
constexpr const char* see_explain = "see `vm-patch gate status`";

/// What an internal failure means for this machine.
struct Group {
  Json json;
  bool known = false;
  [[nodiscard]] bool open() const { return known && (is_baseline_empty(json) || json.value("on_error", "closed") == "open"); }
};

Verdict unassessable(std::string rule, const Error& error) {
  if (error.code == Errc::untrusted) return records_tampered(error);
  return {Answer::unassessable, std::move(rule), error.message, see_explain, {}, {}};
}

void tell(const Call& call, const Verdict& verdict) {
  const std::string_view what = call.operation == Operation::restore   ? "restore"
                                : call.operation == Operation::migrate ? "migration"
                                                                       : "start";
  const std::string line = fmt::format("vm-patch: {} of {} denied: {}: {}; {}\n", what, escape_untrusted(call.name), verdict.rule,
                                       verdict.reason, verdict.remedy);
  // Nobody else is told if this fails, and the start is denied all the same.
  static_cast<void>(write_all(STDERR_FILENO, line).has_value());
}

bool passes(const Verdict& verdict, const Group& group) {
  if (verdict.answer == Answer::unassessable && group.open()) return true;
  return !blocks(verdict, group.json);
}

int finish(const Call& call, const Verdict& verdict, const Group& group) {
  if (passes(verdict, group)) return 0;
  tell(call, verdict);
  return 1;
}

/// `gate install` and `gate status` start a domain of this UUID to see it denied.
bool is_proof(const Call& call, const inventory::Machine& machine) {
  if (call.operation != Operation::prepare) return false;
  const auto wanted = read_file(call.state_dir / "gate-proof", 4096);
  return wanted && trim(*wanted) == machine.uuid;
}

Json decision_json(const Call& call, const Verdict& verdict) {
  Json data{{"operation", call.word}, {"name", call.name}, {"answer", to_string(verdict.answer)}, {"rule", verdict.rule},
            {"reason", verdict.reason}};
  if (verdict.group) data["group"] = *verdict.group;
  if (verdict.used_override) data["override"] = *verdict.used_override;
  return data;
}

Result<void> write_denial(Scene& scene, const Verdict& verdict) {
  return scene.store->together([&]() -> Result<void> {
    VMPATCH_CHECK(mark_lost(scene));
    if (verdict.rule == "unattested-change") {
      VMPATCH_CHECK(scene.store->queue_rescan(scene.machine.uuid, verdict.reason, scene.now));
    }
    return scene.store->record("gate.deny", scene.machine.uuid, decision_json(scene.call, verdict), scene.now);
  });
}

/// The custody that this permission opens or moves on; nullopt = none.
std::optional<ledger::Custody> next_custody(const Scene& scene, const Input& input, const Verdict& verdict) {
  if (verdict.rule == "cold-boot") {
    ledger::Custody custody = *scene.custody;
    custody.started = true;
    return custody;
  }
  const bool opens = (scene.call.operation == Operation::prepare && verdict.rule != "restored") ||
                     scene.call.operation == Operation::restore || scene.call.operation == Operation::started;
  if (!opens) return {};
  ledger::Custody custody = open_custody(input, scene.call.word);
  custody.started = scene.call.operation == Operation::started;
  // Broken glass, and a group that only warns, let a machine run without anything being proven.
  custody.unbroken = custody.unbroken && verdict.answer == Answer::allow && !verdict.used_override;
  return custody;
}

Result<void> write_permission(Scene& scene, const Input& input, const Verdict& verdict) {
  // `start` only repeats `prepare`, and `migrate` comes before it: nothing new, and no wait for the disk.
  if (scene.call.operation == Operation::start || scene.call.operation == Operation::migrate) return {};
  return scene.store->together([&]() -> Result<void> {
    if (verdict.used_override) VMPATCH_CHECK(scene.store->use_override(*verdict.used_override, scene.now));
    if (const auto custody = next_custody(scene, input, verdict)) VMPATCH_CHECK(scene.store->put(*custody));
    const char* action = verdict.answer == Answer::allow ? "gate.allow" : "gate.warn";
    return scene.store->record(action, scene.machine.uuid, decision_json(scene.call, verdict), scene.now);
  });
}

/// Overrides that the custody database knows as used.
Result<void> drop_used_overrides(Scene& scene, ledger::GateFacts& facts) {
  if (facts.overrides.empty()) return {};
  VMPATCH_TRY(const auto used, scene.store->used_overrides());
  std::erase_if(facts.overrides, [&](const ledger::Override& entry) { return std::ranges::find(used, entry.id) != used.end(); });
  return {};
}

int decide_and_write(Scene& scene, ledger::GateFacts& facts, const Group& group) {
  if (auto dropped = drop_used_overrides(scene, facts); !dropped) {
    return finish(scene.call, unassessable("custody-unreadable", dropped.error()), group);
  }
  auto saved = scene.call.operation == Operation::restore ? scene.store->saved(scene.machine.uuid)
                                                          : Result<std::optional<Json>>(std::nullopt);
  if (!saved) return finish(scene.call, unassessable("custody-unreadable", saved.error()), group);
  const bool alive = facts.unfinished_run && ledger::is_alive(facts.unfinished_run->holder);
  scene.identities = load_identities(scene.machine);
  const Input input{scene.call.operation, scene.machine, facts, scene.identities, scene.custody, *saved, scene.now,
                    scene.boot_id,        alive};
  const Verdict verdict = decide(input);
  const bool pass = passes(verdict, group);
  const Result<void> written = pass ? write_permission(scene, input, verdict) : write_denial(scene, verdict);
  if (!pass || (!written && (verdict.used_override || written.error().code == Errc::untrusted || !group.open()))) {
    tell(scene.call, pass ? unassessable("custody-unreadable", written.error()) : verdict);
    return 1;
  }
  return 0;
}

int decide_call(Scene& scene) {
  auto facts = ledger::read_gate_facts(scene.call.state_dir / "ledger.sqlite", scene.machine.uuid, {}, scene.now);
  if (!facts) return finish(scene.call, unassessable("ledger-unreadable", facts.error()), {});
  Group group;
  try {
    group.json = find_group(facts->policy, scene.machine);
    group.known = true;
    if (group.open()) set_alarm_exit(0);
  } catch (const Json::exception&) {
    group = {};  // decide() finds the same and says so
  }
  if (!scene.store) {
    const auto loaded = load_custody(scene);
    if (!loaded) return finish(scene.call, unassessable("custody-unreadable", loaded.error()), group);
  }
  return decide_and_write(scene, *facts, group);
}

/// A cold boot is told from a snapshot revert before anything else: it must not end for a reason of ours.
bool is_cold_boot(Scene& scene) {
  if (scene.call.operation != Operation::started || !load_custody(scene)) return false;
  if (!scene.custody || !is_fresh(*scene.custody, scene.boot_id, scene.now)) return false;
  set_alarm_exit(0);
  const ledger::GateFacts none;
  const std::optional<Json> nothing;
  const Input input{scene.call.operation, scene.machine, none, scene.identities, scene.custody, nothing, scene.now, scene.boot_id};
  static_cast<void>(write_permission(scene, input, decide(input)).has_value());
  return true;
}

int run_decision(Scene& scene) {
  if (is_proof(scene.call, scene.machine)) {
    const Verdict proof{Answer::deny, "proof", "this start was made to see that the gate denies it", "nothing is wrong", {}, {}};
    tell(scene.call, proof);
    return 1;
  }
  if (is_cold_boot(scene)) return 0;
  return decide_call(scene);
}

}  // namespace

Result<void> load_custody(Scene& scene) {
  const bool waits = scene.call.decides();
  VMPATCH_TRY(auto store, ledger::CustodyStore::open(scene.call.state_dir / "custody.sqlite",
                                                     {.busy_timeout_ms = patience_ms, .checkpoint = !waits}));
  VMPATCH_TRY(scene.custody, store->last(scene.machine.uuid));
  scene.store = std::move(store);
  return {};
}

int run_hook(const Call& call, const Result<std::string>& xml) {
  // An event without XML leaves nothing to record it by.
  if (!call.decides() && (!xml || xml->empty())) return 0;
  auto machine = xml ? inventory::parse_domain_xml(*xml, "hook") : Result<inventory::Machine>(xml.error());
  if (!machine) return call.decides() ? finish(call, unassessable("xml-unreadable", machine.error()), {}) : 0;
  Scene scene{.call = call, .machine = std::move(*machine), .identities = {}, .store = nullptr, .custody = {}, .boot_id = {}, .now = {}};
  scene.now = SystemClock().now();
  if (auto boot = boot_id()) scene.boot_id = *boot;
  if (call.decides()) return run_decision(scene);
  // Whatever fails here must not fail libvirt's call.
  if (load_custody(scene)) static_cast<void>(record_event(scene).has_value());
  return 0;
}

}  // namespace vmpatch::gate
