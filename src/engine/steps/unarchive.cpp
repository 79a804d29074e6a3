#include "engine/steps/step.hpp"

namespace vmpatch::engine {

Result<void> apply_unarchive(const StepContext& context, const recipe::step::Unarchive& step) {
  VMPATCH_CHECK(context.guest.make_dirs(step.into));
  return context.guest.unpack_tar(plain_tar_name(step.payload), step.into);
}

}  // namespace vmpatch::engine
