#include "cli/apply/batch.hpp"

#include "vmpatch/core/side_by_side.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

std::string last_word(const Result<engine::Report>& result) {
  if (!result) return fmt::format("{}: {}", to_string(result.error().code), result.error().message);
  switch (result->plan.outcome) {
    case plan::Outcome::apply: return "patched, verified, committed, attested";
    case plan::Outcome::satisfied: return "nothing to do, attested";
    case plan::Outcome::not_applicable: return "recipe does not apply";
    case plan::Outcome::refused: return "refused";
  }
  return {};
}

}  // namespace

std::vector<BatchResult> apply_all(engine::Environment& environment, const engine::Job& job,
                                   const std::vector<inventory::Machine>& machines, unsigned jobs, ProgressDisplay& display) {
  std::vector<BatchResult> results;
  for (const auto& machine : machines) results.push_back({machine, make_error(Errc::failed, "was not run")});
  side_by_side(results.size(), jobs, [&](std::size_t i) {
    auto& [machine, result] = results[i];
    const auto what = fmt::format("{}: cut off in its middle, 'vm-patch recover' ends it", escape_untrusted(machine.name));
    result = attempt(what, [&] { return engine::apply(environment, job, machine); });
    display.finish(machine, last_word(result));
  });
  return results;
}

int exit_code_of(const std::vector<BatchResult>& results) {
  for (const auto code : {Errc::recovery_needed, Errc::untrusted, Errc::busy, Errc::refused}) {
    for (const auto& entry : results) {
      if (!entry.result && entry.result.error().code == code) return exit_code(code);
    }
  }
  for (const auto& entry : results) {
    if (!entry.result) return exit_code(entry.result.error().code);
  }
  return 0;
}

}  // namespace vmpatch::cli
