#include "gate/hook/hook.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/gate/custody.hpp"

namespace vmpatch::gate {
namespace {

/// The custody that `prepare` opened for this start; nullopt: it opened none, or it was not seen.
std::optional<ledger::Custody> running_custody(const Scene& scene) {
  if (!scene.custody || scene.custody->closed || scene.custody->lost || scene.custody->boot_id != scene.boot_id) return {};
  const bool marked = scene.mark && scene.mark->opened == scene.custody->opened;
  if (!marked && !is_fresh(*scene.custody, scene.boot_id, scene.now)) return {};
  ledger::Custody custody = *scene.custody;
  custody.started = true;
  return custody;
}

Result<void> record_started(Scene& scene) {
  VMPATCH_CHECK(load_custody(scene));
  return scene.store->together([&]() -> Result<void> {
    if (const auto custody = running_custody(scene)) VMPATCH_CHECK(scene.store->put(*custody));
    VMPATCH_CHECK(scene.store->forget_memory(scene.machine.uuid, "the machine was started", scene.now));
    const Json data{{"operation", scene.call.word}, {"name", scene.call.name}, {"answer", to_string(Answer::allow)}, {"rule", "cold-boot"},
                    {"reason", "decided at prepare"}};
    return scene.store->record("gate.allow", scene.machine.uuid, data, scene.now);
  });
}

}  // namespace

void note_started(Scene& scene) {
  if (scene.mark && !scene.mark->end) {
    scene.mark->started = true;
    static_cast<void>(scene.marks.put(*scene.mark).has_value());
  }
  static_cast<void>(record_started(scene).has_value());
}

}  // namespace vmpatch::gate
