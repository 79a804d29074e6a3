#include "engine/steps/dpkg_audit.hpp"
#include "engine/steps/step.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

constexpr Seconds dpkg_limit{3600};

/// As apt calls it: what an update Breaks is deconfigured, until its own update comes.
std::vector<std::string> dpkg_command(const recipe::step::Packages& step, const char* action) {
  // Syncing file by file is pointless on an overlay that is flushed as a whole before anybody believes in it.
  return {"dpkg", "--force-unsafe-io", "--auto-deconfigure",
          step.conffiles == recipe::Conffiles::keep ? "--force-confold" : "--force-confnew", action};
}

/// An earlier round configures nothing but its own packages: what they broke has its turn later.
Result<void> install(const StepContext& context, const recipe::step::Packages& step, const std::vector<plan::PackageChange>& batch,
                     bool last) {
  auto unpack = dpkg_command(step, last ? "--install" : "--unpack");
  auto configure = dpkg_command(step, "--configure");
  for (const auto& change : batch) {
    unpack.push_back(context.payload_dir + "/" + change.payload);
    configure.push_back(change.arch == "all" ? change.name : change.name + ":" + change.arch);
  }
  VMPATCH_CHECK(run_in_guest(context, unpack, dpkg_limit, last ? "dpkg --install" : "dpkg --unpack", step.conffiles));
  return last ? Result<void>() : run_in_guest(context, configure, dpkg_limit, "dpkg --configure", step.conffiles);
}

Result<AuditFindings> audit(const StepContext& context) {
  VMPATCH_TRY(const auto result, context.guest.command({"dpkg", "--audit"}, quiet_environment(), Seconds(120)));
  // dpkg(1): 1 where something is to be said, 2 for an error.
  if (result.exit_code > 1) {
    return fail(Errc::failed, "dpkg --audit ended with exit code {}: {}", result.exit_code, escape_untrusted(result.output.substr(0, 300)));
  }
  return parse_audit(result.output);
}

/// What dpkg says already is not the patch's.
Result<void> check_audit(const StepContext& context, const AuditFindings& before) {
  VMPATCH_TRY(const auto after, audit(context));
  const std::string fresh = new_findings(before, after);
  if (fresh.empty()) return {};
  return fail(Errc::failed, "dpkg --audit says more than before the patch: {}", fresh);
}

Result<void> check_room(const StepContext& context, const std::vector<plan::PackageChange>& changes) {
  std::uint64_t kibibytes = 0;
  for (const auto& payload : context.job.packages) {
    for (const auto& change : changes) {
      const auto size = payload.deb.control.find("Installed-Size");
      if (change.payload != payload.payload || size == payload.deb.control.end()) continue;
      kibibytes += std::strtoull(size->second.c_str(), nullptr, 10);
    }
  }
  VMPATCH_TRY(const auto room, context.guest.free_space("/usr"));
  if (room >= kibibytes * 1024) return {};
  return fail(Errc::refused, "the guest has {} KiB free below /usr, the packages unpack to {} KiB; make room in the guest",
              room / 1024, kibibytes);
}

}  // namespace

Result<void> apply_packages(const StepContext& context, const recipe::step::Packages& step) {
  const auto selection = plan::select_packages(plan::VersionScheme::deb, context.job.recipe.get(), step,
                                               context.job.packages, context.facts);
  if (selection.changes.empty()) return {};
  VMPATCH_CHECK(check_room(context, selection.changes));
  VMPATCH_TRY(const auto audit_before, audit(context));
  const auto batches = plan::install_batches(plan::VersionScheme::deb, selection.changes, context.job.packages, context.facts);
  for (const auto& batch : batches) VMPATCH_CHECK(install(context, step, batch, &batch == &batches.back()));
  return check_audit(context, audit_before);
}

}  // namespace vmpatch::engine
