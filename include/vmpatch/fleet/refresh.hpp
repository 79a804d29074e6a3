#pragma once
// Machines brought to what verified repositories offer: resolve, fetch each package once, patch, prove, attest.

#include <functional>
#include <optional>
#include <vector>

#include "vmpatch/engine/engine.hpp"
#include "vmpatch/fleet/engine_setup.hpp"
#include "vmpatch/fleet/refresh_rules.hpp"
#include "vmpatch/fleet/repositories.hpp"

namespace vmpatch::fleet {

struct RefreshOptions {
  AskedRules rules;
  bool dry_run = false;         ///< nothing is written but what is remembered of repositories
  bool offline = false;         ///< no server is asked for lists: what was fetched last, as long as it is valid
  bool fresh = false;           ///< machines are read again although their disks did not change
  bool pass_over = true;        ///< machines that are not dormant are left alone; else each of them is a failure
  unsigned jobs = 0;            ///< machines side by side; 0 = the policy's
  std::optional<Time> until;    ///< no machine is begun at or after this time
};

enum class RefreshOutcome {
  current,      ///< nothing to update, and nothing that is kept back
  kept_back,    ///< nothing that may be done, but updates that its mode asks for: held, pinned, excluded, a boot loader, …
  updated,      ///< patched, verified, committed, attested
  planned,      ///< would be updated (dry run)
  passed_over,  ///< not dormant, or of a group that is never refreshed
  not_begun,    ///< the time was over, the refresh was interrupted, or its group was halted
  failed,       ///< `error` says why; its disks are as they were
};
std::string_view to_string(RefreshOutcome outcome);

struct Refreshed {
  inventory::Machine machine;
  RefreshOutcome outcome = RefreshOutcome::not_begun;
  std::optional<MachineUpdate> update;   ///< once it was resolved
  std::optional<engine::Report> report;  ///< of one that was updated
  std::optional<Error> error;
  std::string note;     ///< why it was passed over or not begun, where the outcome does not say it
  Seconds duration{0};  ///< of its patch
};

/// STATE/keys/refresher, trusted in the role refresher. Errors: not_found and untrusted, with the commands that make it so.
Result<trust::PrivateKey> load_refresher_key(const Invocation& invocation);

/// In the order of `machines`. One that fails does not stop the others. `finished` is told of each as it ends, from its own thread. A second
/// refresh of this state directory at the same time is Errc::busy. Errors besides: usage (no repositories, no key).
Result<std::vector<Refreshed>> refresh(const Invocation& invocation, EngineSetup& setup, const std::vector<inventory::Machine>& machines,
                                       const RefreshOptions& options, Log& log, const std::function<void(const Refreshed&)>& finished);

/// 0 when every machine that was not passed over is current now; else that of the gravest failure, 1 where one was not begun, 3 where updates
/// would be done or are kept back.
int exit_code_of(const std::vector<Refreshed>& all);

}  // namespace vmpatch::fleet
