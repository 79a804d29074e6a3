#include <algorithm>

#include "cli/common/output.hpp"
#include "cli/gate/gate_verbs.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/ledger/gate_view.hpp"

namespace vmpatch::cli {
namespace {

/// Of the newest memory that anybody knows of. Errc::not_found: there is none; refused: it has no time, so what is saved later could
/// not be told from it.
Result<Time> newest_memory(ledger::CustodyStore& store, const inventory::Machine& machine) {
  VMPATCH_TRY(const auto recorded, store.saved(machine.uuid));
  std::optional<Time> newest;
  if (recorded && recorded->memory) newest = recorded->time;
  if (machine.saved_to_file && machine.saved_to_file->when) newest = std::max(newest.value_or(Time{}), *machine.saved_to_file->when);
  if (newest) return *newest;
  const std::string name = escape_untrusted(machine.name);
  if (!machine.saved_to_file) return fail(Errc::not_found, "no saved memory of {} is known; there is nothing to forget", name);
  return fail(Errc::refused,
              "libvirt does not tell when the memory of {} was saved, so what is saved later could not be told from it; start it without "
              "that memory with virsh start --force-boot, and shut it down",
              name);
}

}  // namespace

Result<int> forget_save(Context& context, const ForgetSaveOptions& options) {
  if (trim(options.reason).empty()) return fail(Errc::usage, "--reason is empty; say why");
  VMPATCH_TRY(const fleet::Selection selection, fleet::select_machines(context, options.machines));
  if (selection.machines.size() != 1) return fail(Errc::usage, "name one machine, not {}", selection.machines.size());
  const inventory::Machine& machine = selection.machines.front();
  const std::string name = escape_untrusted(machine.name);
  if (machine.managed_save) {
    return fail(Errc::refused, "libvirt still has the saved memory of {}; drop it with virsh managedsave-remove {}", name, machine.uuid);
  }
  VMPATCH_TRY(const auto store, ledger::CustodyStore::open(context.paths.custody()));
  VMPATCH_TRY(const Time saved, newest_memory(*store, machine));
  VMPATCH_CHECK(store->throw_memory_away(machine.uuid, saved, options.reason, context.clock.now()));
  if (context.options.json) {
    print_json({{"schema", "vm-patch/gate-forget-save/v1"}, {"machine", {{"uuid", machine.uuid}, {"name", machine.name}}},
                {"saved", format_time(saved)}});
  } else {
    print_text(fmt::format("{}: the memory that was saved at {} is forgotten\n", name, format_time(saved)));
  }
  return 0;
}

}  // namespace vmpatch::cli
