#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/gate/decision.hpp"
#include "vmpatch/gate/identities.hpp"

namespace vmpatch::gate {
namespace {

/// Memory goes on with the disks that the machine had when it was saved: one that was plugged into the running machine was never
/// attested, one that was pulled out is not missing. The decision sees to it that they are those disks.
std::string change_since(const Json& recorded, const Input& input) {
  return input.operation == Operation::restore ? difference_of_common(recorded, input.identities) : difference(recorded, input.identities);
}

std::string change_reason(const Input& input, const ledger::Custody* custody) {
  const std::string change = change_since(custody != nullptr ? custody->identities : input.facts.attestation->identities, input);
  if (custody == nullptr) return fmt::format("the disks are not what was attested ({})", change);
  if (custody->closed || !custody->started) {
    return fmt::format("the disks changed after the machine's last run ({})", change);
  }
  if (custody->boot_id != input.boot_id) {
    return fmt::format("the host went down while the machine ran, so nobody saw how its disks ended ({})", change);
  }
  return fmt::format("the machine ran and its end was not seen by the gate ({})", change);
}

/// What was under custody before the newest attestation says nothing about what was attested since. Clocks go wrong: where the
/// custody knows its attestation, times are not asked.
bool is_later(const std::optional<ledger::Custody>& custody, const ledger::Attestation& attestation) {
  if (!custody) return false;
  return custody->attested ? *custody->attested == attestation.time : custody->opened >= attestation.time;
}

}  // namespace

Lineage find_lineage(const Input& input) {
  const auto& attestation = input.facts.attestation;
  if (!attestation) return {false, "not-attested", "there is no attestation of this machine"};
  if (change_since(attestation->identities, input).empty()) return {true, "attested", {}};
  if (!is_later(input.custody, *attestation)) return {false, "unattested-change", change_reason(input, nullptr)};
  const ledger::Custody& custody = *input.custody;
  if (!custody.unbroken) {
    return {false, "unattested-change", "the machine was last started without a proof of what its disks were"};
  }
  // While a custody is open its identities are those from before the start: equal means that nothing was written.
  if (change_since(custody.identities, input).empty()) return {true, "custody", {}};
  return {false, "unattested-change", change_reason(input, &custody)};
}

}  // namespace vmpatch::gate
