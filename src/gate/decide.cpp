#include <algorithm>

#include "gate/rules.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/gate/custody.hpp"
#include "vmpatch/gate/identities.hpp"

namespace vmpatch::gate {
namespace {

Verdict allow(std::string rule, std::string reason) { return {Answer::allow, std::move(rule), std::move(reason), {}, {}, {}}; }

bool same_disks(const Json& recorded, const Input& input) { return difference(recorded, input.identities).empty(); }

std::optional<Verdict> check_disks(const Input& input) {
  for (const inventory::Disk& disk : input.machine.disks) {
    if (!has_identity(disk) || input.identities.contains(disk.target)) continue;
    const std::string problem = disk.problem.empty() ? "it was not looked at" : disk.problem;
    return Verdict{Answer::unassessable, "disk-unreadable",
                   fmt::format("disk {} has no identity: {}", escape_untrusted(disk.target), problem),
                   fmt::format("see `vm-patch gate explain -d {}`", shell_name(input.machine)), {}, {}};
  }
  return {};
}

/// Old memory over other disks destroys file systems: no override helps here.
std::optional<Verdict> check_saved(const Input& input) {
  const std::string remedy = fmt::format(
      "the saved memory is kept; drop it with `virsh managedsave-remove {0}`, or delete the file of `virsh save` and run `vm-patch gate "
      "forget-save -d {0} --reason TEXT` (its unsaved work is lost), then check the machine with `vm-patch verify -d {0} -r BUNDLE`",
      shell_name(input.machine));
  if (input.saved && input.saved->without_memory) {
    return Verdict{Answer::deny, "saved-disks-changed", "its last run ended without saving memory, so what was saved before belongs to older disks",
                   remedy, {}, {}};
  }
  if (!input.saved || input.saved->identities.is_null()) {
    return Verdict{Answer::deny, "saved-disks-unknown", "the disks were not recorded when its memory was saved", remedy, {}, {}};
  }
  const std::string change = difference(input.saved->identities, input.identities);
  if (change.empty()) return {};
  return Verdict{Answer::deny, "saved-disks-changed",
                 fmt::format("the disks are not what they were when its memory was saved ({})", change), remedy, {}, {}};
}

const ledger::Override* find_override(const Input& input) {
  const auto usable = [&](const ledger::Override& entry) {
    return !entry.used && entry.created <= input.now && entry.expires > input.now && entry.machine_uuid == input.machine.uuid &&
           same_disks(entry.identities, input);
  };
  const auto found = std::ranges::find_if(input.facts.overrides, usable);
  return found == input.facts.overrides.end() ? nullptr : &*found;
}

/// What was decided at an earlier hook call of the same start; nullopt: decide now.
std::optional<Verdict> repeat_earlier(const Input& input) {
  if (takes_over_restore(input)) {
    Verdict restored = allow("restored", "decided at restore");
    restored.used_override = input.restore->override_id;
    return restored;
  }
  if (!input.custody || !is_fresh(*input.custody, input.boot_id, input.now)) return {};
  const Json& before = disks_at_start(*input.custody);
  const std::string change = difference(before, input.identities);
  if (input.operation == Operation::start) {
    if (change.empty()) return allow("prepared", "decided at prepare");
    return Verdict{Answer::deny, "changed-since-prepare", fmt::format("the disks changed since the start was allowed ({})", change),
                   "find out who writes them, then start it again", {}, {}};
  }
  // Since `start` libvirt has given the disks to QEMU's account, which moves ctime.
  if (input.operation == Operation::started && (change.empty() || only_ctime_moved(before, input.identities))) {
    return allow("prepared", "decided at prepare, and the snapshot changed no disk");
  }
  return {};
}

/// libvirt refuses this itself, but only after it has asked; its disks move all the time, and that is no one's fault.
std::optional<Verdict> check_running(const Input& input) {
  if (input.operation != Operation::restore || !input.running) return {};
  return Verdict{Answer::deny, "still-running", "the machine is running, and its memory can only be restored when it is off",
                 "shut it down first", {}, {}};
}

Verdict decide_for_group(const Input& input, const Json& group) {
  if (const auto running = check_running(input)) return *running;
  if (const auto unreadable = check_disks(input)) return *unreadable;
  if (auto earlier = repeat_earlier(input)) return *earlier;
  const auto saved = input.operation == Operation::restore ? check_saved(input) : std::nullopt;
  if (saved && saved->rule == "saved-disks-changed") return *saved;
  Verdict verdict = check_baseline(input, group);
  if (verdict.answer == Answer::allow && saved) verdict = *saved;
  if (!blocks(verdict, group)) return verdict;
  if (const ledger::Override* entry = find_override(input)) {
    Verdict broken_glass = allow("override", fmt::format("{} by {}: {}", verdict.rule, entry->actor, escape_untrusted(entry->reason)));
    broken_glass.used_override = entry->id;
    return broken_glass;
  }
  return verdict;
}

/// A disk that cannot be told from one that is between old and new.
std::optional<Verdict> check_unknown(const Input& input) {
  if (!input.facts.torn_run) return {};
  for (const inventory::Disk& disk : input.machine.disks) {
    if (std::ranges::find(input.unknown_disks, disk.target) == input.unknown_disks.end()) continue;
    return Verdict{Answer::deny, "torn-disk-possible",
                   fmt::format("run {} has not ended, and whether it wrote disk {} cannot be told: {}", *input.facts.torn_run,
                               escape_untrusted(disk.target), disk.problem.empty() ? "it was not looked at" : disk.problem),
                   "end that run with `vm-patch recover`, see `vm-patch status`", {}, {}};
  }
  return {};
}

Verdict decide_start(const Input& input) {
  if (auto forbidden = forbidden_by_run(input)) return *forbidden;
  if (input.facts.policy.is_null()) return allow("no-policy", "no policy was published");
  const Json group = find_group(input.facts.policy, input.machine);
  if (is_baseline_empty(group)) {
    Verdict free = allow("no-baseline", group.is_null() ? "the machine is in no group" : "its group requires nothing");
    if (!group.is_null()) free.group = group.at("name").get<std::string>();
    return free;
  }
  Verdict verdict = decide_for_group(input, group);
  verdict.group = group.at("name").get<std::string>();
  return verdict;
}

}  // namespace

std::optional<Verdict> forbidden_by_run(const Input& input) {
  auto busy = check_run(input);
  return busy ? busy : check_unknown(input);
}

Verdict records_tampered(const Error& error) {
  return {Answer::deny, "records-tampered", error.message, "find out who changed them before anything starts", {}, {}};
}

Verdict decide(const Input& input) {
  switch (input.operation) {
    case Operation::stopped:
    case Operation::release:
    case Operation::reconnect:
    case Operation::attach:
    case Operation::other: return allow("recorded", "nothing to decide");
    case Operation::started:
      // The machine already runs: stopping it here would be a power cut. Only a snapshot brings disks that `prepare` did not see.
      if (!input.reverting) return allow("cold-boot", "decided at prepare");
      break;
    case Operation::prepare:
    case Operation::start:
    case Operation::restore:
    case Operation::migrate: break;
  }
  try {
    return decide_start(input);
  } catch (const Json::exception& error) {
    return {Answer::unassessable, "policy-unreadable", fmt::format("the published policy or attestation is malformed (error {})", error.id),
            "run `vm-patch gate publish`", {}, {}};
  }
}

}  // namespace vmpatch::gate
