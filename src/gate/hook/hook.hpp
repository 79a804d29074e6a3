#pragma once
// One call of the hook, from facts to exit code.

#include <memory>
#include <optional>
#include <string>

#include "gate/hook/arguments.hpp"
#include "vmpatch/gate/identities.hpp"
#include "vmpatch/inventory/machine.hpp"
#include "vmpatch/ledger/gate_view.hpp"

namespace vmpatch::gate {

/// Exit code for libvirt. On a denial one line is on stderr.
int run_hook(const Call& call, const Result<std::string>& xml);

/// Facts about the machine that an event needs.
struct Scene {
  const Call& call;
  inventory::Machine machine;
  Identities identities;
  std::unique_ptr<ledger::CustodyStore> store;
  std::optional<ledger::Custody> custody;
  std::string boot_id;
  Time now{};
};

/// The last custody; `store` is opened.
Result<void> load_custody(Scene& scene);
/// What follows an operation that decides nothing: `release` ends a custody; all of them are recorded.
Result<void> record_event(Scene& scene);
/// A custody whose end was not seen will not be ended by the `release` of a start that is denied now.
Result<void> mark_lost(Scene& scene);

}  // namespace vmpatch::gate
