#include "vmpatch/plan/plan.hpp"

#include "plan/arguments.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::plan {
namespace {

// Measured: dpkg writes about twice what a package installs (new copies, database, journal, triggers). The overlay holds
// that, the undo image the old content of the same clusters, and the payload disk the packages themselves.
constexpr std::uint64_t overlay_factor = 2;
constexpr std::uint64_t fixed_space = 128ULL << 20U;

std::uint64_t installed_size(const recipe::DebPackage& deb) {
  const auto field = deb.control.find("Installed-Size");
  if (field == deb.control.end()) return 0;
  std::uint64_t kibibytes = 0;
  for (const char c : field->second) {
    if (c < '0' || c > '9' || kibibytes > (1ULL << 40U)) return 0;
    kibibytes = kibibytes * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return kibibytes * 1024;
}

std::uint64_t estimate_space(const recipe::Recipe& recipe, const std::vector<PayloadPackage>& payloads) {
  std::uint64_t installed = 0;
  std::uint64_t delivered = 0;
  for (const auto& payload : payloads) installed += installed_size(payload.deb);
  for (const auto& payload : recipe.payloads) delivered += payload.size;
  return 2 * (overlay_factor * installed + delivered) + delivered + fixed_space;
}

void select(const recipe::Recipe& recipe, const std::vector<PayloadPackage>& payloads, const guest::Facts& facts,
            Plan& plan) {
  for (const auto& step : recipe.steps) {
    if (const auto* run = std::get_if<recipe::step::Run>(&step)) {
      if (auto too_long = too_long_arguments(*run); !too_long.empty()) plan.reasons.push_back(std::move(too_long));
    }
    const auto* packages = std::get_if<recipe::step::Packages>(&step);
    if (packages == nullptr) continue;
    if (facts.package_manager != "dpkg") {
      plan.reasons.push_back(fmt::format("the recipe installs Debian packages, the guest's package manager is '{}'",
                                         escape_untrusted(facts.package_manager)));
      continue;
    }
    auto selection = select_packages(VersionScheme::deb, recipe, *packages, payloads, facts);
    if (auto too_many = too_many_packages(selection.changes); !too_many.empty()) plan.reasons.push_back(std::move(too_many));
    if (recipe.made_from && selection.changes.size() != packages->install.size()) {
      plan.reasons.push_back(fmt::format("the recipe was made for a machine that needs all of its {} packages, and this one needs {}: it is another "
                                         "machine, or changed since; run vm-patch refresh", packages->install.size(), selection.changes.size()));
    }
    plan.packages.insert(plan.packages.end(), selection.changes.begin(), selection.changes.end());
    plan.skipped.insert(plan.skipped.end(), selection.skipped.begin(), selection.skipped.end());
    for (const auto& held : selection.held) {
      plan.reasons.push_back(fmt::format("package {0} is held at {1} by the guest's administrator, the recipe wants {2}; start the guest and "
                                         "run 'apt-mark unhold {0}', or use a recipe without it", held.name,
                                         escape_untrusted(held.from), held.to));
    }
    plan.reasons.insert(plan.reasons.end(), selection.unmet_dependencies.begin(), selection.unmet_dependencies.end());
  }
}

Plan decide(Plan plan, const recipe::Recipe& recipe, const std::vector<PayloadPackage>& payloads,
            const Situation& situation) {
  plan.reasons = situation.obstacles;
  if (!situation.facts) {
    if (plan.reasons.empty()) plan.reasons.emplace_back("the guest could not be read");
    plan.outcome = Outcome::refused;
    return plan;
  }
  // Even where all that is asked for is there already.
  if (auto foreign = foreign_system(recipe, *situation.facts); plan.reasons.empty() && !foreign.empty()) {
    plan.outcome = Outcome::not_applicable;
    plan.reasons = std::move(foreign);
    return plan;
  }
  // Before all else: what the database of such a guest says may be wrong, so nothing can be said to hold either.
  for (auto& reason : unfit_guest(*situation.facts)) plan.reasons.push_back(std::move(reason));
  if (!plan.reasons.empty()) {
    plan.outcome = Outcome::refused;
    return plan;
  }
  if (auto reasons = applicability(recipe, *situation.facts); !reasons.empty() && !situation.unmet.empty()) {
    plan.outcome = Outcome::not_applicable;
    plan.reasons = std::move(reasons);
    return plan;
  }
  if (situation.unmet.empty()) {
    plan.outcome = Outcome::satisfied;
    plan.reasons = {"everything that the recipe asks for holds already"};
    return plan;
  }
  select(recipe, payloads, *situation.facts, plan);
  plan.reasons.insert(plan.reasons.end(), situation.forbidden.begin(), situation.forbidden.end());
  plan.outcome = plan.reasons.empty() ? Outcome::apply : Outcome::refused;
  return plan;
}

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::apply: return "apply";
    case Outcome::satisfied: return "satisfied";
    case Outcome::not_applicable: return "not-applicable";
    case Outcome::refused: return "refused";
  }
  return "refused";
}

Plan make_plan(const recipe::Recipe& recipe, const Digest& digest, const std::vector<PayloadPackage>& payloads,
               const Situation& situation) {
  Plan plan;
  plan.machine_uuid = situation.machine.uuid;
  plan.machine_name = situation.machine.name;
  plan.host = situation.machine.host;
  plan.recipe_id = recipe.id;
  plan.recipe_title = recipe.title;
  plan.recipe_version = recipe.version;
  plan.recipe_digest = digest.hex();
  plan.fixes = recipe.fixes;
  plan.severity = std::string(recipe::to_string(recipe.severity));
  plan.pending = situation.unmet;
  plan.removals = situation.removals;
  plan.space_needed = estimate_space(recipe, payloads);
  for (const auto& step : recipe.steps) plan.steps.push_back(recipe::summarize(step));
  return decide(std::move(plan), recipe, payloads, situation);
}

}  // namespace vmpatch::plan
