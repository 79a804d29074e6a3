#include "cli/common/output.hpp"
#include "cli/gate/gate_verbs.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/ledger/gate_view.hpp"

namespace vmpatch::cli {
namespace {

Result<std::vector<ledger::Rescan>> open_rescans(const Context& context) {
  std::vector<ledger::Rescan> open;
  const auto store = ledger::CustodyStore::open(context.paths.custody(), {.create = false});
  if (!store && store.error().code == Errc::not_found) return open;
  if (!store) return store.error();
  VMPATCH_TRY(const auto all, (*store)->rescans());
  for (const ledger::Rescan& rescan : all) {
    VMPATCH_TRY(const auto facts, ledger::read_gate_facts(context.paths.ledger(), rescan.machine_uuid, {}, context.clock.now()));
    if (!facts.attestation || facts.attestation->time <= rescan.time) open.push_back(rescan);
  }
  return open;
}

}  // namespace

Result<int> list_rescans(Context& context) {
  VMPATCH_TRY(const auto open, open_rescans(context));
  if (context.options.json) {
    Json json{{"schema", "vm-patch/gate-rescans/v1"}, {"rescans", Json::array()}};
    for (const ledger::Rescan& rescan : open) {
      json["rescans"].push_back({{"machine", rescan.machine_uuid}, {"reason", rescan.reason}, {"time", format_time(rescan.time)}});
    }
    print_json(json);
    return 0;
  }
  if (open.empty()) print_text("No machine waits for a rescan.\n");
  if (open.empty()) return 0;
  Table table({"SINCE", "MACHINE", "REASON"});
  for (const ledger::Rescan& rescan : open) table.add_row({format_time(rescan.time), rescan.machine_uuid, rescan.reason});
  print_text(table.format());
  return 0;
}

}  // namespace vmpatch::cli
