#pragma once
// PURE: operation + machine + ledger view + identities + time → verdict (DESIGN §5).

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/image/identity.hpp"
#include "vmpatch/inventory/machine.hpp"
#include "vmpatch/ledger/gate_view.hpp"

namespace vmpatch::gate {

enum class Answer { allow, deny, quarantine, unassessable };
std::string_view to_string(Answer answer);

struct Verdict {
  Answer answer = Answer::unassessable;
  std::string rule;    ///< stable word: "no-baseline", "attested", "custody", "not-attested", "unattested-change", "recipe-missing",
                       ///< "recipe-old", "attestation-old", "run-unfinished", "quarantined", "override", "saved-disks-changed", …
  std::string reason;  ///< one sentence
  std::string remedy;  ///< a command line or a sentence
  std::optional<std::string> group;
  std::optional<std::string> used_override;
};

enum class Operation { prepare, start, started, restore, migrate, stopped, release, reconnect, attach, other };
Operation parse_operation(std::string_view word);

struct Input {
  Operation operation = Operation::prepare;
  const inventory::Machine& machine;
  const ledger::GateFacts& facts;
  /// Identity of every writable disk by target, as found now.
  const std::map<std::string, image::DiskIdentity>& identities;
  const std::optional<ledger::Custody>& custody;
  const std::optional<Json>& saved_identities;
  Time now{};
  std::string boot_id;
};

/// Never fails; a policy that cannot be read or identities that are missing give `unassessable`, which counts as the group's
/// on_error says.
Verdict decide(const Input& input);

/// The group of the published policy that this machine is in; null JSON = none.
Json find_group(const Json& gate_policy, const inventory::Machine& machine);

/// True when the hook must exit non-zero.
bool blocks(const Verdict& verdict, const Json& group);

}  // namespace vmpatch::gate
