#include <algorithm>

#include "gate/hook/hook.hpp"
#include "gate/hook/storage.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/gate/custody.hpp"

namespace vmpatch::gate {
namespace {

constexpr int patience_ms = 1500;  // below the limit of the call

bool is_open(const Scene& scene) {
  return scene.custody && !scene.custody->closed && !scene.custody->lost && scene.custody->boot_id == scene.boot_id;
}

/// The mark is of the start that opened the custody.
bool belong_together(const Scene& scene) { return scene.mark && scene.custody && scene.mark->opened == scene.custody->opened; }

/// The machine ran and has ended: what it left is known.
Result<void> close_run(Scene& scene, const End& end, const Identities& now) {
  ledger::Custody custody = *scene.custody;
  const Json defined = custody.identities;
  const auto was_defined = [&](const std::string& target) { return defined.is_object() && defined.contains(target); };
  custody.unbroken = custody.unbroken && std::ranges::none_of(end.unread, was_defined);
  custody.identities = disks_after_run(custody, now);
  custody.live = {};
  custody.started = true;
  custody.closed = end.time;
  return scene.store->put(custody);
}

Result<void> put_saved(Scene& scene, const End& end) {
  const Mark& mark = *scene.mark;
  const bool saved = mark.memory.value_or(false);
  if (saved) {
    const Json data{{"operation", "release"}, {"name", scene.call.name}, {"managed", mark.managed}};
    VMPATCH_CHECK(scene.store->record("gate.save", scene.machine.uuid, data, end.time));
  }
  const bool known = end.unread.empty() && !end.unseen;
  return scene.store->put_saved(scene.machine.uuid, {.identities = known ? end.identities : Json(), .time = end.time, .memory = saved,
                                                     .managed = mark.managed, .without_memory = mark.memory && !saved});
}

/// Nobody kept watch over the disks from the end of the machine to now.
Result<void> lose_run(Scene& scene) {
  ledger::Custody custody = *scene.custody;
  custody.started = true;
  custody.lost = true;
  return scene.store->put(custody);
}

/// A start that was allowed and then failed. libvirt has changed the owner of the disks and changed it back: only ctime moved.
Result<void> close_failed_start(Scene& scene, const End& end, const Identities& now) {
  ledger::Custody custody = *scene.custody;
  const Json before = disks_at_start(custody);
  custody.closed = end.time;
  if (only_ctime_moved(before, now)) custody.identities = disks_after_run(custody, now);
  custody.live = {};
  VMPATCH_CHECK(scene.store->put(custody));
  VMPATCH_TRY(auto saved, scene.store->saved(custody.machine_uuid));
  if (!saved || saved->identities != before || !only_ctime_moved(before, now)) return {};
  saved->identities = to_json(now);
  return scene.store->put_saved(custody.machine_uuid, *saved);
}

Result<void> record_end(Scene& scene) {
  const End& end = *scene.mark->end;
  VMPATCH_TRY(const Identities now, identities_from_json(end.identities));
  // Memory is saved of what ran, whether its start left a mark or not; and it belongs to these disks without a custody, too.
  const bool saved = scene.mark->memory.value_or(false);
  const bool ours = is_open(scene) && (belong_together(scene) || saved);
  if (ours && !scene.custody->started && !saved) return close_failed_start(scene, end, now);
  if (ours) VMPATCH_CHECK(end.unseen ? lose_run(scene) : close_run(scene, end, now));
  // Where `stopped` was missed this end may be that of a save.
  return ours || saved ? put_saved(scene, end) : Result<void>();
}

End look_at_end(Scene& scene) {
  const Identities found = DiskLook(scene.machine).finish(scene.machine).identities;
  const std::string& before = scene.mark ? scene.mark->daemon : std::string();
  const bool other_daemon = !before.empty() && !scene.call.daemon.empty() && before != scene.call.daemon;
  End end{scene.now, to_json(found), {}, other_daemon};
  for (const inventory::Disk& disk : scene.machine.disks) {
    if (has_identity(disk) && !found.contains(disk.target)) end.unread.push_back(disk.target);
  }
  return end;
}

/// In the mark first: a database that somebody holds must not cost the custody, and the memory that was saved with it.
void note_end(Scene& scene) {
  if (!scene.mark || scene.mark->end) return;  // an end that waits is of an earlier run, and this one of a start that was denied
  if (scene.mark->opened == Time{} && !scene.mark->memory.value_or(false)) return;
  scene.mark->end = look_at_end(scene);
  static_cast<void>(scene.marks.put(*scene.mark).has_value());
}

/// `started` may have been missed, on a host so busy that the call came to its limit.
void note_run(Scene& scene) {
  if (!scene.mark || scene.mark->end || scene.mark->started || !scene.says.has_run()) return;
  scene.mark->started = true;
  static_cast<void>(scene.marks.put(*scene.mark).has_value());
}

/// Later versions of libvirt tell why it ended; of others the status file tells at `stopped`, and is gone at `release`.
void note_memory(Scene& scene) {
  const bool told = !scene.call.extra.empty() && scene.call.extra != "-";
  const bool saved = told ? scene.call.extra == "saved" : scene.says.memory_saved();
  if (!saved) {
    if (!scene.mark || scene.mark->end || scene.mark->memory || !(told || scene.says.known())) return;
    scene.mark->memory = false;
    static_cast<void>(scene.marks.put(*scene.mark).has_value());
    return;
  }
  if (!scene.mark) scene.mark = Mark{};
  scene.mark->memory = true;
  static_cast<void>(scene.marks.put(*scene.mark).has_value());
  scene.mark->managed = has_managed_save(scene.machine.name);
  static_cast<void>(scene.marks.put(*scene.mark).has_value());
}

/// The machine runs, and this daemon watches it from now on.
void note_daemon(Scene& scene) {
  if (!scene.mark || scene.mark->end || scene.call.daemon.empty() || scene.mark->daemon == scene.call.daemon) return;
  scene.mark->daemon = scene.call.daemon;
  static_cast<void>(scene.marks.put(*scene.mark).has_value());
}

/// The start left no mark: the program that saw it knew of none, or /run took none.
Result<void> end_without_mark(Scene& scene) {
  if (scene.mark || !is_open(scene)) return {};
  scene.mark = Mark{.opened = scene.custody->opened, .started = scene.custody->started, .memory = {}, .managed = false, .daemon = {},
                    .end = look_at_end(scene)};
  return settle_end(scene);
}

}  // namespace

Result<void> settle_end(Scene& scene) {
  VMPATCH_CHECK(scene.store->together([&] { return record_end(scene); }));
  scene.marks.drop();
  scene.mark.reset();
  VMPATCH_TRY(scene.custody, scene.store->last(scene.machine.uuid));
  return {};
}

Result<void> load_custody(Scene& scene) {
  const bool waits = scene.call.decides();
  VMPATCH_TRY(scene.store, ledger::CustodyStore::open(scene.call.state_dir / "custody.sqlite",
                                                      {.busy_timeout_ms = patience_ms, .checkpoint = !waits}));
  VMPATCH_TRY(scene.custody, scene.store->last(scene.machine.uuid));
  if (scene.call.operation == Operation::prepare) {
    VMPATCH_TRY(scene.restore, scene.store->restore(scene.machine.uuid));
  }
  if (belong_together(scene)) scene.custody->started = scene.custody->started || scene.mark->started;
  return scene.mark && scene.mark->end ? settle_end(scene) : Result<void>();
}

Result<void> record_event(Scene& scene) {
  const Operation operation = scene.call.operation;
  const bool ended = operation == Operation::release && !scene.says.running();
  if (operation == Operation::stopped) note_run(scene);
  if (operation == Operation::reconnect) note_daemon(scene);
  if (operation == Operation::stopped || ended) note_memory(scene);
  if (ended) note_end(scene);
  VMPATCH_CHECK(load_custody(scene));
  if (ended) VMPATCH_CHECK(end_without_mark(scene));
  if (ended) scene.marks.drop();
  const Json data{{"operation", scene.call.word}, {"sub_operation", scene.call.sub_operation}, {"name", scene.call.name}};
  return scene.store->record("gate.event", scene.machine.uuid, data, scene.now);
}

}  // namespace vmpatch::gate
