#include <algorithm>

#include "cli/audit/audit_verbs.hpp"
#include "cli/common/output.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/ledger/gate_view.hpp"
#include "vmpatch/ledger/store.hpp"

namespace vmpatch::cli {
namespace {

constexpr std::size_t most_rows = 10'000'000;

struct Entry {
  std::string chain;
  ledger::AuditRow row;
};

void keep_last(std::vector<Entry>& entries, std::size_t limit) {
  if (entries.size() > limit) entries.erase(entries.begin(), entries.end() - static_cast<std::ptrdiff_t>(limit));
}

Result<std::vector<Entry>> load_entries(const Context& context, std::size_t limit) {
  std::vector<Entry> entries;
  const auto store = ledger::open_store(context.paths.ledger(), context.clock, {.create = false});
  if (!store && store.error().code != Errc::not_found) return store.error();
  if (store) {
    VMPATCH_TRY(auto rows, (*store)->audit_rows(1, most_rows));
    for (ledger::AuditRow& row : rows) entries.push_back({"ledger", std::move(row)});
  }
  const auto custody = ledger::CustodyStore::open(context.paths.custody(), {.create = false});
  if (!custody && custody.error().code != Errc::not_found) return custody.error();
  if (custody) {
    VMPATCH_TRY(auto rows, (*custody)->records(1, most_rows));
    for (ledger::AuditRow& row : rows) entries.push_back({"gate", std::move(row)});
  }
  std::ranges::stable_sort(entries, {}, [](const Entry& entry) { return entry.row.time; });
  keep_last(entries, limit);
  return entries;
}

}  // namespace

Result<int> list_audit_log(Context& context, const AuditListOptions& options) {
  VMPATCH_TRY(const auto entries, load_entries(context, options.limit));
  if (context.options.json) {
    Json json{{"schema", "vm-patch/audit/v1"}, {"rows", Json::array()}};
    for (const auto& [chain, row] : entries) {
      json["rows"].push_back({{"chain", chain}, {"sequence", row.sequence}, {"time", format_time(row.time)}, {"actor", row.actor},
                              {"action", row.action}, {"subject", row.subject}, {"data", row.data}, {"previous", row.previous.hex()},
                              {"digest", row.digest.hex()}, {"records", row.records ? Json(row.records->hex()) : Json()}});
    }
    print_json(json);
    return 0;
  }
  Table table({"TIME", "ACTOR", "ACTION", "SUBJECT", "DATA"});
  for (const auto& [chain, row] : entries) {
    const std::string data = row.data.empty() ? "" : escape_untrusted(dump_json(row.data));
    table.add_row({format_time(row.time), escape_untrusted(row.actor), escape_untrusted(row.action), escape_untrusted(row.subject),
                   data.size() > 160 ? data.substr(0, 160) + "…" : data});
  }
  print_text(table.empty() ? "No rows.\n" : table.format());
  return 0;
}

}  // namespace vmpatch::cli
