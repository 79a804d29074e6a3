#include "gate/hook/hook.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/gate/custody.hpp"

namespace vmpatch::gate {
namespace {

Json decision_json(const Call& call, const Verdict& verdict) {
  Json data{{"operation", call.word}, {"name", call.name}, {"answer", to_string(verdict.answer)}, {"rule", verdict.rule},
            {"reason", verdict.reason}};
  if (verdict.group) data["group"] = *verdict.group;
  if (verdict.used_override) data["override"] = *verdict.used_override;
  return data;
}

/// Broken glass, and a group that only warns, let a machine run without anything being proven.
ledger::Custody new_custody(const Scene& scene, const Input& input, const Verdict& verdict) {
  ledger::Custody custody = open_custody(input, scene.call.word);
  custody.unbroken = custody.unbroken && verdict.answer == Answer::allow && !verdict.used_override;
  return custody;
}

/// What `prepare` opens: the decision of the `restore` before it, or its own.
ledger::Custody prepared_custody(const Scene& scene, const Input& input, const Verdict& verdict) {
  if (!takes_over_restore(input)) return new_custody(scene, input, verdict);
  ledger::Custody custody = input.restore->custody;
  custody.opened = scene.now;
  if (input.facts.attestation) custody.attested = input.facts.attestation->time;
  return custody;
}

Result<void> put_custody(Scene& scene, const ledger::Custody& custody) {
  VMPATCH_CHECK(scene.store->put(custody));
  scene.opened = custody.opened;
  return {};
}

Result<void> write_custody(Scene& scene, const Input& input, const Verdict& verdict) {
  switch (scene.call.operation) {
    case Operation::restore:
      // libvirt may refuse it yet, because the machine runs: its custody is not touched.
      return scene.store->put_restore({new_custody(scene, input, verdict), verdict.used_override});
    case Operation::prepare:
      VMPATCH_CHECK(scene.store->drop_restore(scene.machine.uuid));
      return scene.says.running() ? Result<void>() : put_custody(scene, prepared_custody(scene, input, verdict));
    case Operation::started: {
      ledger::Custody custody = new_custody(scene, input, verdict);
      custody.started = true;
      VMPATCH_CHECK(scene.store->forget_memory(scene.machine.uuid, "the machine was started", scene.now));
      return put_custody(scene, custody);
    }
    default: return {};
  }
}

/// libvirt calls `prepare` for a machine that does not run: a custody that is open still lost its end. The `release` that follows
/// the denial must not count as that end.
Result<void> mark_lost(Scene& scene) {
  if (scene.says.running() || !scene.custody || scene.custody->closed || !scene.custody->started || scene.custody->lost) return {};
  ledger::Custody lost = *scene.custody;
  lost.lost = true;
  return scene.store->put(lost);
}

}  // namespace

Result<void> write_permission(Scene& scene, const Input& input, const Verdict& verdict) {
  // `start` only repeats `prepare`, and `migrate` comes before it: nothing new, and no wait for the disk.
  if (scene.call.operation == Operation::start || scene.call.operation == Operation::migrate) return {};
  return scene.store->together([&]() -> Result<void> {
    // That of a restore is used up by the start that comes of it.
    if (verdict.used_override && scene.call.operation != Operation::restore) {
      VMPATCH_CHECK(scene.store->use_override(*verdict.used_override, scene.now));
    }
    VMPATCH_CHECK(write_custody(scene, input, verdict));
    const char* action = verdict.answer == Answer::allow ? "gate.allow" : "gate.warn";
    return scene.store->record(action, scene.machine.uuid, decision_json(scene.call, verdict), scene.now);
  });
}

Result<void> write_denial(Scene& scene, const Verdict& verdict) {
  const Operation operation = scene.call.operation;
  return scene.store->together([&]() -> Result<void> {
    if (operation == Operation::prepare) VMPATCH_CHECK(mark_lost(scene));
    if (operation == Operation::prepare || operation == Operation::restore) VMPATCH_CHECK(scene.store->drop_restore(scene.machine.uuid));
    if (verdict.rule == "unattested-change") {
      VMPATCH_CHECK(scene.store->queue_rescan(scene.machine.uuid, verdict.reason, scene.now));
    }
    return scene.store->record("gate.deny", scene.machine.uuid, decision_json(scene.call, verdict), scene.now);
  });
}

}  // namespace vmpatch::gate
