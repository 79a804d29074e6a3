#include "engine/archive/contents.hpp"
#include "engine/steps/step.hpp"

namespace vmpatch::engine {

Result<void> apply_unarchive(const StepContext& context, const recipe::step::Unarchive& step) {
  VMPATCH_TRY(const auto fd, context.payloads.open_verified(*context.job.recipe.get().find_payload(step.payload)));
  VMPATCH_TRY(const auto entries, list_archive(fd.get(), step.payload));
  std::vector<std::string> members;
  members.reserve(entries.size());
  for (const auto& entry : entries) members.push_back(entry.path);
  VMPATCH_CHECK(context.guest.make_dirs(step.into));
  return context.guest.unpack_tar(plain_tar_name(step.payload), step.into, members);
}

}  // namespace vmpatch::engine
