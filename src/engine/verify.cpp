#include "engine/attestable.hpp"
#include "engine/held_machine.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/engine/engine.hpp"
#include "vmpatch/reading/reading.hpp"

namespace vmpatch::engine {
namespace {

/// A run that has its disks, by whatever name it knows the machine.
Result<void> check_no_run(const Environment& environment, const inventory::Machine& machine) {
  ledger::RunFilter of_machine;
  of_machine.machine_uuid = machine.uuid;
  of_machine.unfinished_only = true;
  VMPATCH_TRY(const auto runs, environment.store.runs(of_machine));
  VMPATCH_CHECK(check_ended(machine, runs));
  VMPATCH_TRY(const auto disks, reading::open_disks(machine, environment.allowed_dirs));
  VMPATCH_TRY(const auto identities, reading::identify(disks));
  auto layers = disk_keys(Strategy::in_place, identities);
  for (auto& key : backing_keys(identities)) layers.push_back(std::move(key));
  return check_no_run_on(environment, machine, layers);
}

/// The recipe's answer, for people; nothing is asked of a guest that is not fit.
Result<VerifyReport> ask(const Environment& environment, const Job& job, const inventory::Machine& machine, reading::Reading& reading) {
  VerifyReport report;
  if (plan::foreign_system(job.recipe.get(), reading.facts()).empty()) VMPATCH_CHECK(check_fit(machine, reading.facts()));
  VMPATCH_TRY(const auto placed, placed_scripts(environment, job.recipe.get(), machine, reading.disks()));
  VMPATCH_TRY(auto answer, ask_recipe(job, environment.payloads, reading.guest(), reading.facts(), placed));
  if (answer.holds()) report.proof = answer.kind;
  report.checks = std::move(answer.checks);
  auto unfit = plan::applicability(job.recipe.get(), reading.facts());
  // Where all is done already its packages are no longer those that it is for: whether their files are in order is asked all the same.
  report.applicable = unfit.empty() || (answer.foreign.empty() && answer.unmet.empty());
  report.unmet = report.applicable ? answer.all_unmet() : std::move(unfit);
  return report;
}

}  // namespace

Result<VerifyReport> verify(const Environment& environment, const Job& job, const inventory::Machine& machine) {
  if (const auto obstacles = inventory::patch_obstacles(machine); !obstacles.empty()) {
    return fail(Errc::refused, "machine {}: {}", escape_untrusted(machine.name), fmt::join(obstacles, "; "));
  }
  VMPATCH_CHECK(check_no_run(environment, machine));
  environment.observer.step(machine, "reading the guest");
  VMPATCH_TRY(auto reading, reading::Reading::open(environment, machine));
  VMPATCH_TRY(auto report, ask(environment, job, machine, reading));
  Attestable may;
  if (report.proof) {
    VMPATCH_TRY(const auto earlier, attested_before(environment, machine));
    may = attestable(environment, earlier, HoldsNow{job.recipe, *report.proof}, reading.guest(), reading.facts());
  }
  VMPATCH_TRY(const auto identities, reading::identify(reading.disks()));
  VMPATCH_CHECK(reading.finish());
  if (!report.proof) return report;

  // Its locks are still held: whatever the machine was when it was listed, it is this while the statement is made.
  VMPATCH_CHECK(check_unchanged(environment, strategy_for(machine), machine, reading.disks()));
  // One that lives cannot write now; one that died in between may have written.
  if (const auto no_run = check_no_run(environment, machine); !no_run && no_run.error().code != Errc::busy) return no_run.error();
  VMPATCH_TRY(const auto attestation, make_attestation(environment, machine.uuid, machine.name, "", identities, may.satisfied));
  VMPATCH_CHECK(environment.store.attest_checked(attestation));
  report.dropped = std::move(may.dropped);
  report.attested = true;
  return report;
}

}  // namespace vmpatch::engine
