#include "gate/hook/hook.hpp"

#include "vmpatch/core/json.hpp"

namespace vmpatch::gate {
namespace {

bool all_known(const Scene& scene) {
  for (const inventory::Disk& disk : scene.machine.disks) {
    if (has_identity(disk) && !scene.identities.contains(disk.target)) return false;
  }
  return true;
}

/// The machine ran and has ended: what it left is known.
Result<void> close_run(Scene& scene, ledger::Custody custody) {
  custody.closed = scene.now;
  custody.identities = to_json(scene.identities);
  custody.unbroken = custody.unbroken && all_known(scene);
  VMPATCH_CHECK(scene.store->put(custody));
  // libvirt before 10.5 does not say whether memory was saved, so that every end may be one.
  return scene.store->put_saved(custody.machine_uuid, {.identities = custody.identities, .time = scene.now});
}

/// A start that was allowed and then failed. libvirt has changed the owner of the disks and changed it back: only ctime moved.
Result<void> close_failed_start(Scene& scene, ledger::Custody custody) {
  const Json before = custody.identities;
  custody.closed = scene.now;
  if (only_ctime_moved(before, scene.identities)) custody.identities = to_json(scene.identities);
  VMPATCH_CHECK(scene.store->put(custody));
  VMPATCH_TRY(const auto saved, scene.store->saved(custody.machine_uuid));
  if (!saved || saved->identities != before || custody.identities == before) return {};
  return scene.store->put_saved(custody.machine_uuid, {.identities = custody.identities, .time = scene.now, .memory = saved->memory,
                                                       .managed = saved->managed});
}

Result<void> end_custody(Scene& scene) {
  if (!scene.custody || scene.custody->closed || scene.custody->lost || scene.custody->boot_id != scene.boot_id) return {};
  scene.identities = load_identities(scene.machine);
  return scene.custody->started ? close_run(scene, *scene.custody) : close_failed_start(scene, *scene.custody);
}

}  // namespace

Result<void> record_event(Scene& scene) {
  return scene.store->together([&]() -> Result<void> {
    if (scene.call.operation == Operation::release) VMPATCH_CHECK(end_custody(scene));
    const Json data{{"operation", scene.call.word}, {"sub_operation", scene.call.sub_operation}, {"name", scene.call.name}};
    return scene.store->record("gate.event", scene.machine.uuid, data, scene.now);
  });
}

Result<void> mark_lost(Scene& scene) {
  if (!scene.custody || scene.custody->closed || !scene.custody->started || scene.custody->lost) return {};
  ledger::Custody lost = *scene.custody;
  lost.lost = true;
  return scene.store->put(lost);
}

}  // namespace vmpatch::gate
