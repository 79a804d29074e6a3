#include "vmpatch/gate/custody.hpp"

#include "vmpatch/core/json.hpp"

namespace vmpatch::gate {
namespace {

/// From `prepare` to `started`: a huge guest may need minutes to get its memory.
constexpr Seconds longest_start{600};
/// Between the hook calls `restore` and `prepare` of one restore.
constexpr Seconds restore_window{60};

bool is_open(const ledger::Custody& custody, const std::string& boot_id, Time now, Seconds limit) {
  return !custody.closed && !custody.started && custody.boot_id == boot_id && now >= custody.opened && now - custody.opened < limit;
}

/// The disks of the definition, as far as a restore can tell: those of the run whose memory it is.
Json defined_disks(const Input& input) {
  Json now = to_json(input.identities);
  if (input.operation != Operation::restore) return now;
  Json defined = input.custody ? input.custody->identities : input.facts.attestation ? input.facts.attestation->identities : Json();
  if (!defined.is_object()) return now;
  for (auto& [target, identity] : defined.items()) {
    if (now.contains(target)) identity = now.at(target);
  }
  return defined;
}

}  // namespace

ledger::Custody open_custody(const Input& input, std::string_view operation) {
  ledger::Custody custody;
  custody.machine_uuid = input.machine.uuid;
  custody.boot_id = input.boot_id;
  custody.opened = input.now;
  custody.identities = defined_disks(input);
  if (Json all = to_json(input.identities); all != custody.identities) custody.live = std::move(all);
  custody.operation = operation;
  custody.unbroken = find_lineage(input).holds;
  if (input.facts.attestation) custody.attested = input.facts.attestation->time;
  return custody;
}

bool is_fresh(const ledger::Custody& custody, const std::string& boot_id, Time now) {
  return is_open(custody, boot_id, now, longest_start);
}

bool takes_over_restore(const Input& input) {
  if (input.operation != Operation::prepare || !input.restore) return false;
  const ledger::Custody& decided = input.restore->custody;
  return is_open(decided, input.boot_id, input.now, restore_window) && difference(disks_at_start(decided), input.identities).empty();
}

const Json& disks_at_start(const ledger::Custody& custody) { return custody.live.is_null() ? custody.identities : custody.live; }

void fit_to_saved(inventory::Machine& machine, Json& saved, const ledger::Custody& custody) {
  if (!saved.is_object() || !custody.identities.is_object()) return;
  std::erase_if(machine.disks, [&](const inventory::Disk& disk) {
    return has_identity(disk) && custody.identities.contains(disk.target) && !saved.contains(disk.target);
  });
  Json fitting = Json::object();
  for (const auto& [target, identity] : saved.items()) {
    if (custody.identities.contains(target)) fitting[target] = identity;
  }
  saved = std::move(fitting);
}

Json disks_after_run(const ledger::Custody& custody, const Identities& now) {
  const auto defined = identities_from_json(custody.identities);
  const auto at_start = identities_from_json(disks_at_start(custody));
  if (!defined || !at_start) return custody.identities;
  Identities after = *defined;
  for (auto& [target, identity] : after) {
    const auto plugged = at_start->find(target);
    const auto found = now.find(target);
    if (plugged != at_start->end() && found != now.end() && is_same_disk(plugged->second, found->second)) identity = found->second;
  }
  return to_json(after);
}

}  // namespace vmpatch::gate
