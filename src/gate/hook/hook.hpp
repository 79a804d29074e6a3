#pragma once
// One call of the hook, from facts to the reply.

#include <memory>
#include <optional>
#include <string>

#include "gate/hook/arguments.hpp"
#include "gate/hook/libvirt_says.hpp"
#include "gate/hook/limit.hpp"
#include "gate/hook/mark.hpp"
#include "vmpatch/gate/identities.hpp"
#include "vmpatch/inventory/machine.hpp"
#include "vmpatch/ledger/gate_view.hpp"

namespace vmpatch::gate {

/// For libvirt. A denial has a line.
Reply run_hook(const Call& call, const Result<std::string>& xml, const SetLateCode& set_late_code);
/// "vm-patch: start of NAME denied: ".
std::string denial_start(const Call& call);

/// Facts about the machine.
struct Scene {
  const Call& call;
  inventory::Machine machine;
  std::string boot_id;
  Time now{};
  MarkFile marks;
  std::optional<Mark> mark = {};
  LibvirtSays says = {};
  Identities identities = {};
  std::unique_ptr<ledger::CustodyStore> store = nullptr;
  std::optional<ledger::Custody> custody = {};
  std::optional<ledger::PendingRestore> restore = {};
  Time opened{};  ///< of the custody that this call opened
};

/// Opens `store`, records an end that waits in the mark, and gets the last custody.
Result<void> load_custody(Scene& scene);
/// Records `scene.mark->end`.
Result<void> settle_end(Scene& scene);
/// What follows an operation that decides nothing: `release` ends a custody; all of them are recorded.
Result<void> record_event(Scene& scene);
/// The machine boots, or its memory has been restored: noted in the mark first, and in the databases as far as they let us.
void note_started(Scene& scene);

/// What a verdict leaves behind. Each is one transaction.
Result<void> write_permission(Scene& scene, const Input& input, const Verdict& verdict);
Result<void> write_denial(Scene& scene, const Verdict& verdict);

}  // namespace vmpatch::gate
