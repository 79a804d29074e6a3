#pragma once
// The ledger as every writing command opens it.

#include <memory>

#include "vmpatch/fleet/invocation.hpp"
#include "vmpatch/ledger/store.hpp"
#include "vmpatch/policy/policy.hpp"

namespace vmpatch::fleet {

/// Opens STATE/ledger.sqlite; its anchor lies where the configuration says, and what is committed is told as that says.
Result<std::unique_ptr<ledger::Store>> open_audited(const Invocation& invocation, const policy::Policy& policy);

/// open_audited(), and publishes the policy for the gate when its groups changed. What was published from another
/// file stays (with a warning), and so does everything when there is no configuration file: a forgotten --config must not
/// open the gate. `gate publish` is the explicit way.
Result<std::unique_ptr<ledger::Store>> open_ledger(const Invocation& invocation, const policy::Policy& policy);

/// Publishes, whatever was published before.
Result<void> publish_policy(const Invocation& invocation, ledger::Store& store, const policy::Policy& policy);

}  // namespace vmpatch::fleet
