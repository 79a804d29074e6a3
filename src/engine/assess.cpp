#include "engine/assessment.hpp"
#include "engine/dpkg_notes.hpp"
#include "engine/placed_scripts.hpp"
#include "engine/unmet.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
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

std::string how_published(const inventory::Machine& machine) {
  auto standing = machine.children;
  standing.insert(standing.end(), machine.possible_children.begin(), machine.possible_children.end());
  for (auto& name : standing) name = escape_untrusted(name);
  return fmt::format("its images are not written, as {} {} on them: the patched form becomes a new version beside them, which the machine gets in their place",
                     fmt::join(standing, ", "), standing.size() == 1 ? "stands" : "stand");
}

}  // namespace

Result<Assessment> assess_fully(const Environment& environment, const Job& job, const inventory::Machine& machine) {
  Assessment assessment;
  auto obstacles = inventory::patch_obstacles(machine);
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
  if (inventory::must_publish(machine) && assessment.plan.outcome == plan::Outcome::apply) notes.push_back(how_published(machine));
  assessment.plan.notes = std::move(notes);
  return assessment;
}

Result<plan::Plan> assess(const Environment& environment, const Job& job, const inventory::Machine& machine) {
  VMPATCH_TRY(auto assessment, assess_fully(environment, job, machine));
  return std::move(assessment.plan);
}

}  // namespace vmpatch::engine
