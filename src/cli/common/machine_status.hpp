#pragma once
// What the ledger and the gate say about one machine now. Reads only.

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "vmpatch/cli/context.hpp"
#include "vmpatch/gate/decision.hpp"
#include "vmpatch/inventory/machine.hpp"
#include "vmpatch/ledger/records.hpp"

namespace vmpatch::cli {

/// What the gate would answer to a start (or to a restore, for saved memory) at this moment. Nothing is recorded, and no
/// override is used up. Errc::not_found: there is no ledger. Errc::unsupported: the machine is on another computer.
Result<gate::Verdict> current_verdict(const Context& context, const inventory::Machine& machine);

/// The newest run of every machine that the ledger knows, by UUID. Errc::not_found: there is no ledger.
Result<std::map<std::string, ledger::Run>> load_last_runs(const Context& context);

}  // namespace vmpatch::cli
