#include "engine/attest.hpp"
#include "engine/delivered.hpp"
#include "engine/disks.hpp"
#include "engine/placed_scripts.hpp"
#include "engine/prove_again.hpp"
#include "engine/run_record.hpp"
#include "engine/unmet.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine {
namespace {

/// An interrupted run may have left its disks between old and new: nothing true can be said of them.
Result<void> check_no_run(const Environment& environment, const inventory::Machine& machine) {
  ledger::RunFilter of_machine;
  of_machine.machine_uuid = machine.uuid;
  of_machine.unfinished_only = true;
  VMPATCH_TRY(auto runs, environment.store.runs(of_machine));
  // It may be known by another UUID there.
  VMPATCH_TRY(const auto disks, open_disks(machine, environment.allowed_dirs));
  VMPATCH_TRY(const auto identities, identify(disks));
  ledger::RunFilter of_disks;
  of_disks.disks = disk_keys(identities);
  of_disks.unfinished_only = true;
  VMPATCH_TRY(auto others, environment.store.runs(of_disks));
  runs.insert(runs.end(), std::make_move_iterator(others.begin()), std::make_move_iterator(others.end()));
  for (const auto& run : runs) {
    if (run.state == ledger::RunState::planned) continue;
    if (ledger::is_alive(run.holder)) {
      return fail(Errc::busy, "machine {}: run {} works on it (process {}); wait for it to end", escape_untrusted(machine.name),
                  run.id, run.holder.pid);
    }
    return fail(Errc::recovery_needed, "machine {}: run {} was interrupted while {}; run 'vm-patch recover'",
                escape_untrusted(machine.name), run.id, ledger::to_string(run.state));
  }
  return {};
}

Result<VerifyReport> ask(const Environment& environment, const Job& job, const inventory::Machine& machine, Reading& reading) {
  VerifyReport report;
  VMPATCH_TRY(const auto placed, placed_scripts(environment, job, machine, reading.disks()));
  VMPATCH_TRY(auto findings, ask_steps_and_checks(job, environment.payloads, reading.guest(), reading.facts(), &placed));
  report.unmet = std::move(findings.unmet);
  report.checks = std::move(findings.held);
  const auto unfit = plan::applicability(job.recipe.get(), reading.facts());
  report.applicable = unfit.empty() || report.unmet.empty();
  if (!report.applicable) {
    report.unmet = unfit;
    return report;
  }
  VMPATCH_TRY(const auto delivered, compare_delivered(job, environment.payloads, reading.guest(), reading.facts()));
  report.unmet.insert(report.unmet.end(), delivered.findings.begin(), delivered.findings.end());
  for (const auto& package : reading.facts().half_configured) {
    report.unmet.push_back("package database is not in order: " + escape_untrusted(package));
  }
  const auto compared = delivered.checks();
  report.checks.insert(report.checks.end(), compared.begin(), compared.end());
  if (report.unmet.empty()) report.proof = delivered.proof();
  return report;
}

}  // namespace

Result<VerifyReport> verify(const Environment& environment, const Job& job, const inventory::Machine& machine) {
  if (const auto obstacles = inventory::write_obstacles(machine); !obstacles.empty()) {
    return fail(Errc::refused, "machine {}: {}", escape_untrusted(machine.name), fmt::join(obstacles, "; "));
  }
  VMPATCH_CHECK(check_no_run(environment, machine));
  environment.observer.step(machine, "reading the guest");
  VMPATCH_TRY(auto reading, Reading::open(environment, machine));
  VMPATCH_TRY(auto report, ask(environment, job, machine, reading));
  const bool holds = report.applicable && report.unmet.empty();
  ProvenAgain again;
  if (holds) {
    VMPATCH_TRY(const auto earlier, attested_before(environment, machine));
    again = prove_again(environment, earlier, job.recipe.get(), reading.guest(), reading.facts());
  }
  VMPATCH_TRY(const auto identities, identify(reading.disks()));
  VMPATCH_CHECK(reading.finish());
  if (!holds) return report;

  const auto satisfied = with_recipe(std::move(again.kept), job.recipe, *report.proof);
  VMPATCH_TRY(const auto attestation, make_attestation(environment, machine.uuid, machine.name, "", identities, satisfied));
  VMPATCH_CHECK(environment.store.attest_checked(attestation));
  report.dropped = std::move(again.dropped);
  report.attested = true;
  return report;
}

}  // namespace vmpatch::engine
