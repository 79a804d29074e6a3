#pragma once
// What the ledger and the gate say about one machine now. Reads only.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/fleet/invocation.hpp"
#include "vmpatch/gate/decision.hpp"
#include "vmpatch/inventory/machine.hpp"
#include "vmpatch/ledger/gate_view.hpp"

namespace vmpatch::fleet {

/// What the gate would answer at this moment. Nothing is recorded, and no override is used up.
class Verdicts {
 public:
  /// Errc::not_found: there is no ledger.
  static Result<Verdicts> make(const Invocation& invocation);
  /// To a start (or to a restore, for saved memory). Errc::unsupported: the machine is on another computer.
  Result<gate::Verdict> of(const inventory::Machine& machine) const;

 private:
  explicit Verdicts(const Invocation& invocation) : invocation_(&invocation) {}
  Result<void> open();
  Result<gate::Verdict> decide(const inventory::Machine& machine) const;
  Result<bool> needs_identities(const inventory::Machine& machine) const;
  const Invocation* invocation_;
  std::optional<Error> tampered_;  ///< what nothing can be read from
  std::unique_ptr<ledger::GateReader> ledger_;
  std::unique_ptr<ledger::CustodyStore> custody_;  ///< null: the hook never ran
  std::vector<std::string> used_overrides_;
  std::string boot_;
};

/// The newest run of every machine that the ledger knows, by UUID. Errc::not_found: there is no ledger.
Result<std::map<std::string, ledger::Run>> load_last_runs(const Invocation& invocation);

}  // namespace vmpatch::fleet
