#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/gate/decision.hpp"
#include "vmpatch/gate/identities.hpp"

namespace vmpatch::gate {
namespace {

/// From `prepare` to `started`: a huge guest may need minutes to get its memory.
constexpr Seconds longest_start{600};

std::string change_reason(const Input& input, const ledger::Custody* custody) {
  const std::string change =
      difference(custody != nullptr ? custody->identities : input.facts.attestation->identities, input.identities);
  if (custody == nullptr) return fmt::format("the disks are not what was attested ({})", change);
  if (custody->closed || !custody->started) {
    return fmt::format("the disks changed after the machine's last run ({})", change);
  }
  if (custody->boot_id != input.boot_id) {
    return fmt::format("the host went down while the machine ran, so nobody saw how its disks ended ({})", change);
  }
  return fmt::format("the machine ran and its end was not seen by the gate ({})", change);
}

}  // namespace

Lineage find_lineage(const Input& input) {
  const auto& attestation = input.facts.attestation;
  if (!attestation) return {false, "not-attested", "there is no attestation of this machine"};
  if (difference(attestation->identities, input.identities).empty()) return {true, "attested", {}};
  // What was under custody before the newest attestation says nothing about what was attested since.
  const bool later = input.custody && input.custody->opened >= attestation->time;
  if (!later) return {false, "unattested-change", change_reason(input, nullptr)};
  const ledger::Custody& custody = *input.custody;
  if (!custody.unbroken) {
    return {false, "unattested-change", "the machine was last started without a proof of what its disks were"};
  }
  // While a custody is open its identities are those from before the start: equal means that nothing was written.
  if (difference(custody.identities, input.identities).empty()) return {true, "custody", {}};
  return {false, "unattested-change", change_reason(input, &custody)};
}

ledger::Custody open_custody(const Input& input, std::string_view operation) {
  ledger::Custody custody;
  custody.machine_uuid = input.machine.uuid;
  custody.boot_id = input.boot_id;
  custody.opened = input.now;
  custody.identities = to_json(input.identities);
  custody.operation = operation;
  custody.unbroken = find_lineage(input).holds;
  return custody;
}

bool is_fresh(const ledger::Custody& custody, const std::string& boot_id, Time now) {
  return !custody.closed && !custody.started && custody.boot_id == boot_id && now >= custody.opened &&
         now - custody.opened < longest_start;
}

}  // namespace vmpatch::gate
