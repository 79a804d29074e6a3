#include <algorithm>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/plan/plan.hpp"

namespace vmpatch::plan {
namespace {

bool contains(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

std::string join(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

bool any_package_matches(const recipe::AppliesTo& applies, const guest::Facts& facts, VersionScheme scheme) {
  for (const auto& package : facts.packages) {
    const auto bound = applies.packages.find(package.name);
    if (bound != applies.packages.end() && package.installed() && in_bounds(scheme, package.version, bound->second)) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::vector<std::string> foreign_system(const recipe::Recipe& recipe, const guest::Facts& facts) {
  std::vector<std::string> reasons;
  const auto& applies = recipe.applies_to;
  if (facts.os.id != applies.os_id) {
    reasons.push_back(fmt::format("the recipe is for {}, the guest is {}", applies.os_id, escape_untrusted(facts.os.id)));
    return reasons;
  }
  if (!applies.version_id.empty() && !contains(applies.version_id, facts.os.version_id)) {
    reasons.push_back(fmt::format("the recipe is for {} {}, the guest is {}", applies.os_id, join(applies.version_id),
                                  escape_untrusted(facts.os.version_id)));
  }
  if (!applies.arch.empty() && !contains(applies.arch, facts.arch)) {
    reasons.push_back(fmt::format("the recipe is for {}, the guest is {}", join(applies.arch), escape_untrusted(facts.arch)));
  }
  return reasons;
}

std::vector<std::string> applicability(const recipe::Recipe& recipe, const guest::Facts& facts) {
  auto reasons = foreign_system(recipe, facts);
  const auto& applies = recipe.applies_to;
  if (applies.packages.empty() || !reasons.empty()) return reasons;
  const auto scheme = version_scheme(facts.package_manager);
  if (!scheme) {
    reasons.push_back(scheme.error().message);
  } else if (!any_package_matches(applies, facts, *scheme)) {
    reasons.emplace_back("none of the recipe's packages is installed in a version that it is for");
  }
  return reasons;
}

std::vector<std::string> unfit_guest(const guest::Facts& facts) {
  std::vector<std::string> reasons;
  if (facts.hibernated) {
    reasons.emplace_back("the guest is hibernated: its memory image would no longer fit its disks; resume it and shut it down");
  }
  for (const auto& package : facts.half_configured) {
    reasons.push_back(fmt::format("the guest's package database is not in order ({}); start it and run dpkg --configure -a",
                                  escape_untrusted(package)));
  }
  return reasons;
}

}  // namespace vmpatch::plan
