#include "cli/common/output.hpp"
#include "cli/gate/gate_verbs.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/ledger/gate_view.hpp"

namespace vmpatch::cli {
namespace {

Result<ledger::SavedMemory> recorded_memory(const Context& context, ledger::CustodyStore& store, const inventory::Machine& machine) {
  VMPATCH_TRY(const auto saved, store.saved(machine.uuid));
  if (!saved || !saved->memory) {
    return fail(Errc::not_found, "no saved memory of {} is recorded in {}; there is nothing to forget", escape_untrusted(machine.name),
                context.paths.custody().string());
  }
  return *saved;
}

}  // namespace

Result<int> forget_save(Context& context, const ForgetSaveOptions& options) {
  if (trim(options.reason).empty()) return fail(Errc::usage, "--reason is empty; say why");
  VMPATCH_TRY(const Selection selection, select_machines(context, options.machines));
  if (selection.machines.size() != 1) return fail(Errc::usage, "name one machine, not {}", selection.machines.size());
  const inventory::Machine& machine = selection.machines.front();
  const std::string name = escape_untrusted(machine.name);
  if (machine.managed_save) {
    return fail(Errc::refused, "libvirt still has the saved memory of {}; drop it with virsh managedsave-remove {}", name, machine.uuid);
  }
  std::error_code error;
  if (!fs::exists(context.paths.custody(), error)) {
    return fail(Errc::not_found, "there is no {}: the gate's hook never ran", context.paths.custody().string());
  }
  VMPATCH_TRY(const auto store, ledger::CustodyStore::open(context.paths.custody()));
  VMPATCH_TRY(const auto saved, recorded_memory(context, *store, machine));
  VMPATCH_CHECK(store->forget_memory(machine.uuid, options.reason, context.clock.now()));
  if (context.options.json) {
    print_json({{"schema", "vm-patch/gate-forget-save/v1"}, {"machine", {{"uuid", machine.uuid}, {"name", machine.name}}},
                {"saved", format_time(saved.time)}});
  } else {
    print_text(fmt::format("{}: the memory that was saved at {} is forgotten\n", name, format_time(saved.time)));
  }
  return 0;
}

}  // namespace vmpatch::cli
