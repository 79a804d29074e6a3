#include "engine/patch.hpp"

#include "engine/early_boot.hpp"
#include "engine/own_files.hpp"
#include "engine/steps/step.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

constexpr const char* policy_path = "/usr/sbin/policy-rc.d";
constexpr const char* policy_saved = "/usr/sbin/policy-rc.d.vm-patch-saved";

/// invoke-rc.d and deb-systemd-invoke ask this script; 101 means "must not be done" (invoke-rc.d(8)).
Result<void> forbid_services(guest::WritableGuest& guest) {
  const auto old = guest.lstat(policy_path);
  if (!old && old.error().code != Errc::not_found) return old.error();
  if (old) VMPATCH_CHECK(guest.rename(policy_path, policy_saved));
  VMPATCH_CHECK(guest.write(policy_path, "#!/bin/sh\nexit 101\n"));
  return guest.chmod(policy_path, 0755);
}

Result<void> allow_services(guest::WritableGuest& guest) {
  VMPATCH_CHECK(guest.remove(policy_path));
  const auto saved = guest.lstat(policy_saved);
  if (!saved && saved.error().code != Errc::not_found) return saved.error();
  return saved ? guest.rename(policy_saved, policy_path) : Result<void>();
}

/// Where dpkg leaves the package's version of a conffile that the admin had changed.
std::vector<std::string> left_beside(const Job& job) {
  std::vector<std::string> paths;
  for (const auto& payload : job.packages) {
    for (const auto& conffile : payload.deb.conffiles) paths.push_back(conffile + ".dpkg-dist");
  }
  return paths;
}

Result<void> do_steps(const Environment& environment, const Job& job, const inventory::Machine& machine,
                      const StepContext& context) {
  const auto& steps = job.recipe.get().steps;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    environment.observer.step(machine, fmt::format("step {} of {}: {}", i + 1, steps.size(), recipe::summarize(steps[i])));
    VMPATCH_CHECK(apply_step(context, steps[i]));
  }
  return {};
}

}  // namespace

Result<Patched> patch_guest(const Environment& environment, const Job& job, const inventory::Machine& machine,
                            const guest::Facts& before, guest::WritableGuest& guest, bool has_payloads, Log& log) {
  const auto beside = left_beside(job);
  VMPATCH_TRY(const auto beside_before, guest.digests(beside));
  std::string payload_dir;
  if (has_payloads) {
    VMPATCH_TRY(payload_dir, guest.mount_payloads());
  }
  VMPATCH_TRY(const auto own, OwnFiles::keep(guest));
  VMPATCH_TRY(const auto roots, read_roots(guest));
  VMPATCH_TRY(const auto any_host, AnyHost::force(guest));
  VMPATCH_CHECK(forbid_services(guest));
  VMPATCH_CHECK(do_steps(environment, job, machine, {guest, job, environment.payloads, before, payload_dir, log}));
  VMPATCH_CHECK(allow_services(guest));
  VMPATCH_CHECK(any_host.take_back(guest));
  VMPATCH_TRY(const auto roots_now, read_roots(guest));
  VMPATCH_CHECK(check_roots(roots, roots_now, job.recipe.get()));
  if (has_payloads) VMPATCH_CHECK(guest.unmount_payloads());

  Patched patched;
  VMPATCH_TRY(patched.put_back, own.put_back(guest, job.recipe.get()));
  VMPATCH_TRY(const auto beside_after, guest.digests(beside));
  for (std::size_t i = 0; i < beside.size(); ++i) {
    if (beside_after[i] && beside_after[i] != beside_before[i]) {
      patched.kept_conffiles.push_back(beside[i].substr(0, beside[i].size() - std::string_view(".dpkg-dist").size()));
    }
  }
  environment.observer.step(machine, "checking the file systems");
  VMPATCH_CHECK(guest.check_file_systems());
  VMPATCH_CHECK(guest.finish());
  return patched;
}

}  // namespace vmpatch::engine
