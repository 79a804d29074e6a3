#include "engine/file_questions.hpp"
#include "engine/guest_names.hpp"
#include "engine/step_order.hpp"
#include "engine/steps/step.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/guest/place.hpp"

namespace vmpatch::engine {
namespace {

Result<guest::FileAttributes> wanted_attributes(const StepContext& context, const recipe::step::File& step) {
  guest::FileAttributes wanted;
  wanted.mode = step.mode;
  if (step.owner) {
    VMPATCH_TRY(wanted.uid, find_user(context.guest, *step.owner));
  }
  if (step.group) {
    VMPATCH_TRY(wanted.gid, find_group(context.guest, *step.group));
  }
  return wanted;
}

Result<void> remove_asked(const StepContext& context, const recipe::step::File& step) {
  VMPATCH_TRY(const auto place, guest::find_place(context.guest, step.path));
  if (!place.stat) return {};
  const auto& recipe = context.job.recipe.get();
  if (place.stat->kind == guest::FileKind::directory && !step.folder && !is_written_later(recipe, step)) {
    // What a later step makes below a path that is to be no link or file any more may be there already.
    VMPATCH_TRY(const bool again, is_made_again(recipe, step, packed_in(recipe, context.payloads)));
    if (again) return {};
  }
  if (const auto why = not_to_remove(step, place.stat->kind)) return fail(Errc::refused, "{}", *why);
  return context.guest.remove(step.path);
}

}  // namespace

Result<void> apply_file(const StepContext& context, const recipe::step::File& step) {
  if (step.absent) return remove_asked(context, step);
  VMPATCH_TRY(const auto wanted, wanted_attributes(context, step));
  VMPATCH_CHECK(context.guest.make_dirs(guest::parent_folder(step.path)));
  return context.guest.put_file(step.path, {step.content.value_or(""), step.payload.value_or("")}, wanted);
}

}  // namespace vmpatch::engine
