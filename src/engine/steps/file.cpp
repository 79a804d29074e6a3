#include "engine/guest_names.hpp"
#include "engine/steps/step.hpp"

namespace vmpatch::engine {
namespace {

std::string folder_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

struct Attributes {
  unsigned mode = 0644;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

// What the recipe does not say stays as it is on an existing file; a new one is 0644 root:root.
Result<Attributes> wanted_attributes(const StepContext& context, const recipe::step::File& step) {
  Attributes wanted;
  const auto now = context.guest.lstat(step.path);
  if (!now && now.error().code != Errc::not_found) return now.error();
  if (now && now->kind == guest::FileKind::regular) wanted = {now->mode, now->uid, now->gid};
  if (step.mode) wanted.mode = *step.mode;
  if (step.owner) {
    VMPATCH_TRY(wanted.uid, find_user(context.guest, *step.owner));
  }
  if (step.group) {
    VMPATCH_TRY(wanted.gid, find_group(context.guest, *step.group));
  }
  return wanted;
}

}  // namespace

Result<void> apply_file(const StepContext& context, const recipe::step::File& step) {
  if (step.absent) return context.guest.remove(step.path);
  VMPATCH_TRY(const auto wanted, wanted_attributes(context, step));
  if (step.content || step.payload) {
    const auto fresh = step.path + ".vm-patch-new";
    VMPATCH_CHECK(context.guest.make_dirs(folder_of(step.path)));
    if (step.payload) {
      VMPATCH_CHECK(place_payload(context, *step.payload, fresh, wanted.mode));
    } else {
      VMPATCH_CHECK(context.guest.write(fresh, *step.content));
    }
    VMPATCH_CHECK(context.guest.chown(fresh, wanted.uid, wanted.gid));
    VMPATCH_CHECK(context.guest.chmod(fresh, wanted.mode));
    return context.guest.rename(fresh, step.path);
  }
  VMPATCH_CHECK(context.guest.chown(step.path, wanted.uid, wanted.gid));
  return context.guest.chmod(step.path, wanted.mode);
}

}  // namespace vmpatch::engine
