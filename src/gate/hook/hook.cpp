#include "gate/hook/hook.hpp"

#include <algorithm>

#include "gate/hook/storage.hpp"
#include "gate/rules.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/host.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/inventory/libvirt_folders.hpp"
#include "vmpatch/ledger/store.hpp"

namespace vmpatch::gate {
namespace {

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

Reply denial(const Call& call, const Verdict& verdict) {
  return {denied_exit_code, fmt::format("{}{}: {}; {}\n", denial_start(call), verdict.rule, verdict.reason, verdict.remedy)};
}

bool passes(const Verdict& verdict, const Group& group) {
  if (verdict.answer == Answer::unassessable && group.open()) return true;
  return !blocks(verdict, group.json);
}

Reply finish(const Call& call, const Verdict& verdict, const Group& group) {
  return passes(verdict, group) ? Reply{} : denial(call, verdict);
}

/// `gate install` and `gate status` start a domain of this UUID to see it denied.
bool is_proof(const Call& call, const inventory::Machine& machine) {
  if (call.operation != Operation::prepare) return false;
  const auto wanted = read_file(call.state_dir / "gate-proof", 4096);
  return wanted && trim(*wanted) == machine.uuid;
}

/// Overrides that the custody database knows as used.
Result<void> drop_used_overrides(Scene& scene, ledger::GateFacts& facts) {
  if (facts.overrides.empty()) return {};
  VMPATCH_TRY(const auto used, scene.store->used_overrides());
  std::erase_if(facts.overrides, [&](const ledger::Override& entry) { return std::ranges::find(used, entry.id) != used.end(); });
  return {};
}

Result<std::optional<ledger::SavedMemory>> load_saved(Scene& scene) {
  if (scene.call.operation != Operation::restore) return std::optional<ledger::SavedMemory>();
  return scene.store->saved(scene.machine.uuid);
}

/// A policy that cannot be read makes an unknown group; decide() finds the same and says so.
Group load_group(const Json& policy, const inventory::Machine& machine) {
  try {
    return {find_group(policy, machine), true};
  } catch (const Json::exception&) {
    return {};
  }
}

/// What is decided is what one snapshot of the ledger says, disks included. A fault of ours opens nothing before the ledger was asked, and
/// nothing that a run forbids.
Reply decide_and_write(Scene& scene, ledger::GateReader& reader, DiskLook& look, const SetLateCode& set_late_code) {
  DiskFacts disks = look.finish(scene.machine);
  scene.identities = std::move(disks.identities);
  auto read = reader.facts(scene.machine.uuid, disks.keys, scene.now);
  if (!read) return denial(scene.call, unassessable("ledger-unreadable", read.error()));
  ledger::GateFacts& facts = *read;
  const Group group = load_group(facts.policy, scene.machine);
  std::optional<ledger::SavedMemory> saved;
  const auto input = [&] {
    return Input{.operation = scene.call.operation, .machine = scene.machine, .facts = facts, .identities = scene.identities,
                 .custody = scene.custody, .saved = saved, .now = scene.now, .boot_id = scene.boot_id,
                 .holder_alive = facts.unfinished_run && ledger::is_alive(facts.unfinished_run->holder),
                 .running = scene.says.running(), .reverting = scene.call.operation == Operation::started, .restore = scene.restore,
                 .unknown_disks = disks.unknown};
  };
  // A disk that a run writes, or left between old and new, is no matter of policy, and no fault of ours opens it.
  const auto forbidden = forbidden_by_run(input());
  // Without the custody nobody knows whether the disks moved since memory was saved: a wrong restore destroys them.
  const bool may_open = !forbidden && scene.call.operation != Operation::restore;
  if (may_open && group.open()) set_late_code(0);
  const auto without_custody = [&](const Error& error) {
    if (forbidden) return denial(scene.call, *forbidden);
    const Verdict verdict = unassessable("custody-unreadable", error);
    return may_open ? finish(scene.call, verdict, group) : denial(scene.call, verdict);
  };
  const auto loaded = load_custody(scene);
  if (!loaded) return without_custody(loaded.error());
  if (auto dropped = drop_used_overrides(scene, facts); !dropped) return without_custody(dropped.error());
  auto found = load_saved(scene);
  if (!found) return without_custody(found.error());
  saved = std::move(*found);
  const Input known = input();
  const Verdict verdict = decide(known);
  const bool pass = passes(verdict, group);
  // From here on it is known: who waits for the record of a denial must not get a permission.
  if (!pass) set_late_code(denied_exit_code);
  const Result<void> written = pass ? write_permission(scene, known, verdict) : write_denial(scene, verdict);
  if (!pass) return denial(scene.call, verdict);
  if (written) return {};
  const bool fatal = verdict.used_override || written.error().code == Errc::untrusted || !group.open();
  if (fatal) return denial(scene.call, unassessable("custody-unreadable", written.error()));
  return {};
}

Reply decide_call(Scene& scene, const SetLateCode& set_late_code) {
  set_late_code(denied_exit_code);
  DiskLook look(scene.machine);
  const auto reader = ledger::GateReader::open(scene.call.state_dir / "ledger.sqlite");
  const auto policy = reader ? (*reader)->policy() : Result<Json>(reader.error());
  if (!policy) return finish(scene.call, unassessable("ledger-unreadable", policy.error()), {});
  return decide_and_write(scene, **reader, look, set_late_code);
}

/// The mark of this start. One that opened no custody has one, too: the `release` that follows must end no other.
void put_mark(Scene& scene, bool allowed, bool started) {
  if (scene.says.running() && !started) return;
  // An end that could not be recorded yet; only a machine that runs again makes it worthless.
  if (!allowed && scene.mark && scene.mark->end) return;
  static_cast<void>(scene.marks.put({.opened = scene.opened, .started = started, .memory = {}, .managed = false, .daemon = scene.call.daemon, .end = {}})
                        .has_value());
}

Reply decide_start(Scene& scene, const SetLateCode& set_late_code) {
  if (is_proof(scene.call, scene.machine)) {
    return denial(scene.call, {Answer::deny, "proof", "this start was made to see that the gate denies it", "nothing is wrong", {}, {}});
  }
  Reply reply = decide_call(scene, set_late_code);
  if (scene.call.operation == Operation::prepare) put_mark(scene, reply.code == 0, false);
  return reply;
}

/// On a cold boot the machine runs already, and a restored one was decided before: no reason of ours may end it. Only where a
/// snapshot was loaded the disks are others than those that `prepare` saw, and its vCPUs stand still.
Reply decide_started(Scene& scene, const SetLateCode& set_late_code) {
  if (!scene.says.snapshot_loaded()) {
    note_started(scene);
    return {};
  }
  Reply reply = decide_call(scene, set_late_code);
  if (reply.code == 0) put_mark(scene, true, true);
  return reply;
}

}  // namespace

std::string denial_start(const Call& call) {
  const std::string_view what = call.operation == Operation::restore   ? "restore"
                                : call.operation == Operation::migrate ? "migration"
                                                                       : "start";
  return fmt::format("vm-patch: {} of {} denied: ", what, escape_untrusted(call.name));
}

Reply run_hook(const Call& call, const Result<std::string>& xml, const SetLateCode& set_late_code) {
  // An event without XML leaves nothing to record it by.
  if (!call.decides() && (!xml || xml->empty())) return {};
  auto machine = xml ? inventory::parse_domain_xml(*xml, "hook") : Result<inventory::Machine>(xml.error());
  if (!machine) return call.code_for_unknown() == 0 ? Reply{} : finish(call, unassessable("xml-unreadable", machine.error()), {});
  if (auto folders = inventory::libvirt_folders("qemu:///system")) {
    folders->pool_status = call.run_dir / "libvirt" / "storage";
    inventory::resolve_volumes(*machine, *folders);
  }
  const std::string boot = boot_id().value_or("");
  MarkFile marks(call.run_dir, machine->uuid, boot);
  Scene scene{.call = call, .machine = std::move(*machine), .boot_id = boot, .now = SystemClock().now(), .marks = std::move(marks)};
  scene.mark = scene.marks.load();
  if (call.operation != Operation::start && call.operation != Operation::migrate) scene.says = LibvirtSays::look(call.run_dir, scene.machine);
  if (call.operation == Operation::started) return decide_started(scene, set_late_code);
  if (call.decides()) return decide_start(scene, set_late_code);
  // Whatever fails here must not fail libvirt's call.
  static_cast<void>(record_event(scene).has_value());
  return {};
}

}  // namespace vmpatch::gate
