#include <algorithm>
#include <array>

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/gate/decision.hpp"

namespace vmpatch::gate {
namespace {

/// at() throws Json::exception where the policy is not what it should be; decide() catches.
bool matches_group(const Json& group, const inventory::Machine& machine) {
  const Json& match = group.at("match");
  const auto equals = [](const std::string& text) {
    return [&text](const Json& value) { return value.get_ref<const std::string&>() == text; };
  };
  if (std::ranges::any_of(match.at("uuids"), equals(machine.uuid))) return true;
  if (std::ranges::any_of(match.at("metadata_groups"), equals(machine.metadata.group))) return true;
  return std::ranges::any_of(match.at("names"), [&](const Json& pattern) {
    return matches_pattern(pattern.get_ref<const std::string&>(), machine.name);
  });
}

std::string text_or(const Json& group, const char* key, const char* fallback) {
  if (!group.is_object()) return fallback;
  const auto found = group.find(key);
  return found != group.end() && found->is_string() ? found->get<std::string>() : fallback;
}

}  // namespace

Json find_group(const Json& gate_policy, const inventory::Machine& machine) {
  if (gate_policy.is_null()) return {};
  for (const Json& group : gate_policy.at("groups")) {
    if (matches_group(group, machine)) return group;
  }
  return {};
}

bool blocks(const Verdict& verdict, const Json& group) {
  if (verdict.answer == Answer::allow) return false;
  // Two processes on one disk, a disk between old and new, records that somebody else wrote, or memory of other disks: no group can
  // wish for that.
  constexpr std::array always{"run-unfinished", "torn-disk-possible", "records-tampered", "saved-disks-changed"};
  if (verdict.answer == Answer::quarantine || std::ranges::find(always, verdict.rule) != always.end()) return true;
  if (text_or(group, "action", "deny") == "warn") return false;
  return verdict.answer == Answer::deny || text_or(group, "on_error", "closed") != "open";
}

}  // namespace vmpatch::gate
