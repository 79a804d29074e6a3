#include "engine/assessment.hpp"
#include "engine/dpkg_notes.hpp"
#include "engine/placed_scripts.hpp"
#include "engine/unmet.hpp"
#include "vmpatch/reading/reading.hpp"

namespace vmpatch::engine {
namespace {

Result<void> ask_guest(const Environment& environment, const Job& job, const inventory::Machine& machine, reading::Reading& reading,
                       Assessment& assessment, Findings& findings, std::vector<std::string>& notes) {
  VMPATCH_TRY(const auto placed, placed_scripts(environment, job.recipe.get(), machine, reading.disks()));
  VMPATCH_TRY(findings, ask_steps_and_checks(job, environment.payloads, reading.guest(), reading.facts(), placed));
  assessment.facts = reading.facts();
  VMPATCH_TRY(notes, dpkg_notes(reading.guest(), reading.facts()));
  VMPATCH_TRY(assessment.identities, reading::identify(reading.disks()));
  return reading.finish();
}

}  // namespace

Result<Assessment> assess_fully(const Environment& environment, const Job& job, const inventory::Machine& machine) {
  Assessment assessment;
  auto obstacles = inventory::write_obstacles(machine);
  Findings findings;
  std::vector<std::string> notes;
  if (obstacles.empty()) {
    environment.observer.step(machine, "reading the guest");
    auto opened = reading::Reading::open(environment, machine);
    // A guest that is not fit to be read is an answer like the other obstacles, not the end of the plan.
    if (!opened && opened.error().code != Errc::refused) return opened.error();
    if (opened) {
      VMPATCH_CHECK(ask_guest(environment, job, machine, *opened, assessment, findings, notes));
    } else {
      obstacles.push_back(opened.error().message);
    }
  }
  assessment.plan = plan::make_plan(job.recipe.get(), job.recipe.digest(), job.packages,
                                    {machine, obstacles, assessment.facts, findings.unmet, findings.refused, findings.removals});
  assessment.plan.notes = std::move(notes);
  return assessment;
}

Result<plan::Plan> assess(const Environment& environment, const Job& job, const inventory::Machine& machine) {
  VMPATCH_TRY(auto assessment, assess_fully(environment, job, machine));
  return std::move(assessment.plan);
}

}  // namespace vmpatch::engine
