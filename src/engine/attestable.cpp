#include "engine/attestable.hpp"

#include "engine/delivered.hpp"
#include "engine/prove_again.hpp"
#include "engine/unmet.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/reading/reading.hpp"

namespace vmpatch::engine {
namespace {

constexpr const char* remedy = "'vm-patch verify' with its bundle attests it again where it holds";

Result<Attestable> read_and_ask(const Environment& environment, const std::string& machine_name, const Earlier& earlier,
                                const guest::OpenRequest& exported) {
  VMPATCH_TRY(auto guest, environment.opener.open_read(exported));
  inventory::Machine machine;
  machine.name = machine_name;
  VMPATCH_TRY(const auto facts, reading::read_guest_facts(*guest, machine));
  auto found = attestable(environment, earlier, std::nullopt, *guest, facts);
  VMPATCH_CHECK(guest->finish());
  return found;
}

}  // namespace

std::vector<std::string> RecipeAnswer::all_unmet() const {
  auto all = unmet;
  all.insert(all.end(), unproved.begin(), unproved.end());
  return all;
}

Result<RecipeAnswer> ask_recipe(const Job& job, const recipe::PayloadStore& payloads, guest::Guest& guest, const guest::Facts& facts,
                                const PlacedScripts& placed) {
  RecipeAnswer answer;
  answer.foreign = plan::foreign_system(job.recipe.get(), facts);
  if (!answer.foreign.empty()) return answer;
  VMPATCH_TRY(auto findings, ask_steps_and_checks(job, payloads, guest, facts, placed));
  answer.unmet = std::move(findings.unmet);
  answer.checks = std::move(findings.held);
  VMPATCH_TRY(auto delivered, compare_delivered(job, payloads, guest, facts));
  answer.unproved = std::move(delivered.findings);
  const auto compared = delivered.checks();
  answer.checks.insert(answer.checks.end(), compared.begin(), compared.end());
  answer.kind = delivered.proof();
  return answer;
}

Result<void> check_fit(const inventory::Machine& machine, const guest::Facts& facts) {
  const auto reasons = plan::unfit_guest(facts);
  if (reasons.empty()) return {};
  return fail(Errc::refused, "machine {}: {}", escape_untrusted(machine.name), fmt::join(reasons, "; "));
}

Attestable nothing_attestable(const Earlier& earlier, const std::string& reason) {
  Attestable nothing;
  nothing.dropped = earlier.lost;
  for (const auto& entry : earlier.satisfied) {
    auto dropped = read_satisfied(entry);
    dropped.reason = fmt::format("{}; {}", reason, remedy);
    nothing.dropped.push_back(std::move(dropped));
  }
  return nothing;
}

Attestable attestable(const Environment& environment, const Earlier& earlier, const std::optional<HoldsNow>& now, guest::Guest& guest,
                      const guest::Facts& facts) {
  if (const auto unfit = plan::unfit_guest(facts); !unfit.empty()) return nothing_attestable(earlier, fmt::format("{}", fmt::join(unfit, "; ")));
  auto again = prove_again(environment, earlier, now ? now->recipe.get().id : std::string(), guest, facts);
  if (now) again.kept = with_recipe(std::move(again.kept), now->recipe, now->kind);
  return {std::move(again.kept), std::move(again.dropped)};
}

Attestable attestable_on(const Environment& environment, const std::string& machine_name, const Earlier& earlier,
                         const guest::OpenRequest& exported) {
  if (earlier.satisfied.empty()) return nothing_attestable(earlier, {});
  auto found = read_and_ask(environment, machine_name, earlier, exported);
  return found ? std::move(*found) : nothing_attestable(earlier, "it is not proved: " + found.error().message);
}

}  // namespace vmpatch::engine
