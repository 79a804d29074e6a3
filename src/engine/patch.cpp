#include "engine/patch.hpp"

#include "engine/early_boot.hpp"
#include "engine/own_files.hpp"
#include "engine/selinux.hpp"
#include "engine/steps/step.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/uuid.hpp"

namespace vmpatch::engine {
namespace {

constexpr const char* policy_path = "/usr/sbin/policy-rc.d";

/// invoke-rc.d and deb-systemd-invoke ask this script; 101 means "must not be done" (invoke-rc.d(8)). Value: where the guest's own one is
/// meanwhile, "" = it has none.
Result<std::string> forbid_services(guest::WritableGuest& guest) {
  const auto old = guest.lstat(policy_path);
  if (!old && old.error().code != Errc::not_found) return old.error();
  std::string saved;
  if (old) {
    saved = std::string(policy_path) + ".vm-patch-" + random_uuid();
    VMPATCH_CHECK(guest.rename(policy_path, saved));
  }
  VMPATCH_CHECK(guest.put_file(policy_path, {"#!/bin/sh\nexit 101\n", {}}, {0755, 0, 0}));
  return saved;
}

Result<void> allow_services(guest::WritableGuest& guest, const std::string& saved) {
  VMPATCH_CHECK(guest.remove(policy_path));
  return saved.empty() ? Result<void>() : guest.rename(saved, policy_path);
}

/// Where dpkg leaves the package's version of a conffile that the admin had changed.
std::vector<std::string> left_beside(const Job& job) {
  std::vector<std::string> paths;
  for (const auto& payload : job.packages) {
    for (const auto& conffile : payload.deb.conffiles) paths.push_back(conffile + ".dpkg-dist");
  }
  return paths;
}

Result<void> do_steps(const PatchContext& context, const StepContext& step_context, bool& unlabelled) {
  const auto& steps = context.job.recipe.get().steps;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    context.environment.observer.step(context.machine, fmt::format("step {} of {}: {}", i + 1, steps.size(), recipe::summarize(steps[i])));
    VMPATCH_TRY(const bool makes_new, makes_new_files(step_context.guest, steps[i]));
    unlabelled = unlabelled || makes_new;
    VMPATCH_CHECK(apply_step(step_context, steps[i]));
  }
  return {};
}

/// New files have no label yet.
Result<void> have_labelled(guest::WritableGuest& guest, Patched& patched) {
  VMPATCH_TRY(const bool left, leave_relabelling(guest));
  if (left) patched.remarks.emplace_back("SELinux labels all files anew (/.autorelabel), as new ones have none yet; that takes minutes and a restart");
  return {};
}

/// With services kept from starting, and the payload disk in the guest.
Result<void> do_all(const PatchContext& context, guest::WritableGuest& guest, Patched& patched) {
  std::string payload_dir;
  if (context.has_payloads) {
    VMPATCH_TRY(payload_dir, guest.mount_payloads());
  }
  VMPATCH_TRY(const auto own, OwnFiles::keep(guest));
  VMPATCH_TRY(const auto roots, read_roots(guest));
  VMPATCH_TRY(const auto any_host, AnyHost::force(guest));
  VMPATCH_TRY(const auto own_policy, forbid_services(guest));
  bool unlabelled = false;
  const StepContext step_context{guest, context.job, context.environment.payloads, context.before, context.placed, payload_dir, context.log};
  VMPATCH_CHECK(do_steps(context, step_context, unlabelled));
  VMPATCH_CHECK(allow_services(guest, own_policy));
  VMPATCH_CHECK(any_host.take_back(guest));
  VMPATCH_TRY(const auto roots_now, read_roots(guest));
  VMPATCH_CHECK(check_roots(roots, roots_now, context.job.recipe.get()));
  if (context.has_payloads) VMPATCH_CHECK(guest.unmount_payloads());
  VMPATCH_TRY(patched.put_back, own.put_back(guest, context.job.recipe.get()));
  return unlabelled || !patched.put_back.empty() ? have_labelled(guest, patched) : Result<void>();
}

}  // namespace

Result<Patched> patch_guest(const PatchContext& context, guest::WritableGuest& guest) {
  const auto beside = left_beside(context.job);
  VMPATCH_TRY(const auto beside_before, guest.digests(beside));
  Patched patched;
  VMPATCH_CHECK(do_all(context, guest, patched));
  VMPATCH_TRY(const auto beside_after, guest.digests(beside));
  for (std::size_t i = 0; i < beside.size(); ++i) {
    if (beside_after[i] && beside_after[i] != beside_before[i]) {
      patched.kept_conffiles.push_back(beside[i].substr(0, beside[i].size() - std::string_view(".dpkg-dist").size()));
    }
  }
  context.environment.observer.step(context.machine, "checking the file systems");
  VMPATCH_CHECK(guest.check_file_systems());
  VMPATCH_CHECK(guest.finish());
  return patched;
}

}  // namespace vmpatch::engine
