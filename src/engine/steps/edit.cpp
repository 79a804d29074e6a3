#include "engine/steps/step.hpp"

namespace vmpatch::engine {

Result<void> apply_edit(const StepContext& context, const recipe::step::Edit& step) {
  return context.guest.augeas_edit(step.path, step.lens, step.set, step.remove);
}

}  // namespace vmpatch::engine
