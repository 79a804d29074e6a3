#include <algorithm>

#include "gate/rules.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::gate {
namespace {

Verdict deny(std::string rule, std::string reason, std::string remedy) {
  return {Answer::deny, std::move(rule), std::move(reason), std::move(remedy), {}, {}};
}

/// Version of a recipe that the attestation says holds; 0 = none.
std::int64_t satisfied_version(const Json& satisfied, const std::string& id) {
  for (const Json& entry : satisfied) {
    if (entry.at("id").get_ref<const std::string&>() == id) return entry.at("version").get<std::int64_t>();
  }
  return 0;
}

bool demands_delivered(const Json& baseline) {
  // Policies that were published before know no such demand; any word but this one is a demand.
  return baseline.contains("proof") && baseline.at("proof").get_ref<const std::string&>() != "any";
}

/// The first of the recipes that count whose packages were not proved by the files that it delivers.
std::optional<Verdict> check_proof(const ledger::Attestation& attestation, const Json& baseline, const std::string& name) {
  if (!demands_delivered(baseline)) return {};
  const Json& required = baseline.at("recipes");
  for (const Json& entry : attestation.satisfied) {
    const auto& id = entry.at("id").get_ref<const std::string&>();
    if (!required.empty() && !required.contains(id)) continue;
    const std::string proof = entry.contains("proof") ? entry.at("proof").get<std::string>() : "unknown";
    if (proof == "delivered") continue;
    if (proof == "not-installed") {
      return deny("proof-weak",
                  fmt::format("recipe {} has to be proved by the files that it delivers, and none of its packages is installed", escape_untrusted(id)),
                  fmt::format("name in the baseline the recipes that {} needs, or see `vm-patch inspect -d {}` for what was removed", name, name));
    }
    return deny("proof-weak",
                fmt::format("recipe {} has to be proved by the files that it delivers, its attested proof is {}", escape_untrusted(id),
                            proof == "own-lists" ? "the guest's own lists" : escape_untrusted(proof)),
                fmt::format("shut it down and run `vm-patch verify -d {} -r BUNDLE` with a bundle that has the installed versions", name));
  }
  return {};
}

}  // namespace

std::string shell_name(const inventory::Machine& machine) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  const bool safe = !machine.name.empty() && machine.name.front() != '-' && std::ranges::all_of(machine.name, plain);
  return safe ? machine.name : machine.uuid;
}

std::optional<Verdict> check_run(const Input& input) {
  using ledger::RunState;
  if (!input.facts.unfinished_run) return {};
  const ledger::Run& run = *input.facts.unfinished_run;
  if (run.state == RunState::quarantined) {
    return Verdict{Answer::quarantine, "quarantined", fmt::format("run {} left its disks between old and new", run.id),
                   "run `vm-patch recover`, see `vm-patch status`", {}, {}};
  }
  const bool writes = run.state == RunState::committing || run.state == RunState::committed;
  if (input.holder_alive) {
    return deny("run-unfinished", fmt::format("run {} is {} its disks", run.id, writes ? "writing" : "patching"),
                fmt::format("wait until process {} has ended", run.holder.pid));
  }
  // Up to `verified` the base is untouched: what the run left behind is its own overlay only.
  if (!writes) return {};
  return deny("run-unfinished", fmt::format("run {} was interrupted while it wrote its disks", run.id), "run `vm-patch recover`");
}

bool is_baseline_empty(const Json& group) {
  if (group.is_null()) return true;
  const Json& baseline = group.at("baseline");
  return !baseline.at("attested").get<bool>() && baseline.at("max_age").is_null() && baseline.at("recipes").empty() &&
         !demands_delivered(baseline);
}

Verdict check_baseline(const Input& input, const Json& group) {
  const std::string name = shell_name(input.machine);
  const Lineage lineage = find_lineage(input);
  if (!lineage.holds) {
    return deny(lineage.rule, lineage.reason,
                fmt::format("check it with `vm-patch verify -d {0} -r BUNDLE` or patch it with `vm-patch apply -d {0} -r BUNDLE`", name));
  }
  const ledger::Attestation& attestation = *input.facts.attestation;
  const Json& baseline = group.at("baseline");
  for (const auto& [id, wanted] : baseline.at("recipes").items()) {
    const std::int64_t have = satisfied_version(attestation.satisfied, id);
    const auto lowest = wanted.get<std::int64_t>();
    if (have >= lowest) continue;
    const std::string shown = escape_untrusted(id);
    const std::string remedy = fmt::format("shut it down and run `vm-patch apply -d {} -r BUNDLE` with {} version {} or later", name,
                                           shown, lowest);
    if (have == 0) return deny("recipe-missing", fmt::format("recipe {} is required and was never attested", shown), remedy);
    return deny("recipe-old", fmt::format("recipe {} is required in version {}, attested is version {}", shown, lowest, have), remedy);
  }
  // What a rollback or a recovery leaves when nothing is proved: known disks, but no recipe that holds on them.
  if (attestation.satisfied.empty()) {
    return deny("not-attested", "its last attestation says that no recipe holds on it",
                fmt::format("check it with `vm-patch verify -d {0} -r BUNDLE` or patch it with `vm-patch apply -d {0} -r BUNDLE`", name));
  }
  if (auto weak = check_proof(attestation, baseline, name)) return *weak;
  if (!baseline.at("max_age").is_null()) {
    const Seconds allowed(baseline.at("max_age").get<std::int64_t>());
    const auto age = std::chrono::floor<Seconds>(input.now - attestation.time);
    if (age > allowed) {
      return deny("attestation-old",
                  fmt::format("its attestation is {} old, {} are allowed", format_duration(age), format_duration(allowed)),
                  fmt::format("run `vm-patch verify -d {} -r BUNDLE`", name));
    }
  }
  return {Answer::allow, lineage.rule, fmt::format("attested at {}", format_time(attestation.time)), {}, {}, {}};
}

}  // namespace vmpatch::gate
