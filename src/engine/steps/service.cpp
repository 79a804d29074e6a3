#include "engine/steps/step.hpp"
#include "engine/unit_state.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::engine {
namespace {

const char* verb(recipe::step::UnitState state) {
  using State = recipe::step::UnitState;
  switch (state) {
    case State::enabled: return "enable";
    case State::disabled: return "disable";
    case State::masked: return "mask";
    case State::unmasked: return "unmask";
  }
  return "";
}

}  // namespace

Result<void> apply_service(const StepContext& context, const recipe::step::Service& step) {
  VMPATCH_TRY(const auto unit, read_unit(context.guest, context.facts, step.name));
  if (!not_in_state(unit, step.state)) return {};
  // --root makes systemctl work on unit files alone; it never talks to a manager then (systemctl(1)).
  return run_in_guest(context, {"systemctl", "--root=/", verb(step.state), "--", step.name}, Seconds(120), "systemctl");
}

}  // namespace vmpatch::engine
