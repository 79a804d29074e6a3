#include "engine/attest.hpp"
#include "engine/run.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/interruption.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {

Result<Report> apply(const Environment& environment, const Job& job, const inventory::Machine& machine) {
  // Of a machine before this one.
  VMPATCH_CHECK(check_interruption());
  VMPATCH_TRY(auto assessment, assess_fully(environment, job, machine));
  Report report;
  report.plan = assessment.plan;
  switch (assessment.plan.outcome) {
    case plan::Outcome::refused:
      return fail(Errc::refused, "machine {}: {}", escape_untrusted(machine.name),
                  fmt::join(assessment.plan.reasons, "; "));
    case plan::Outcome::not_applicable: return report;
    case plan::Outcome::satisfied: {
      // Nothing to write, but what holds deserves its statement, so that the gate can let the machine start.
      VMPATCH_TRY(const auto verified, verify(environment, job, machine));
      if (!verified.unmet.empty()) {
        return fail(Errc::failed, "machine {}: {}", escape_untrusted(machine.name), fmt::join(verified.unmet, "; "));
      }
      report.checks = verified.checks;
      report.proof = verified.proof;
      report.dropped = verified.dropped;
      return report;
    }
    case plan::Outcome::apply: break;
  }
  return Run(environment, job, machine, std::move(assessment)).execute();
}

}  // namespace vmpatch::engine
