#include "cli/refresh/refresh_text.hpp"

#include <algorithm>

#include "cli/common/output.hpp"
#include "cli/common/plan_text.hpp"
#include "cli/common/update_text.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

using fleet::Refreshed;
using fleet::RefreshOutcome;

std::string state_of(const Refreshed& one) { return std::string(inventory::to_string(one.machine.state)); }

std::string word(const Refreshed& one) {
  switch (one.outcome) {
    case RefreshOutcome::current: return "current";
    case RefreshOutcome::kept_back: return "updates kept back";
    case RefreshOutcome::updated: return one.report && !one.report->published.empty() ? "updated, new version" : "updated";
    case RefreshOutcome::planned: return "would be updated";
    case RefreshOutcome::passed_over: return "passed over, " + one.note;
    case RefreshOutcome::not_begun: return one.note.empty() ? "not begun" : "not begun, " + one.note;
    case RefreshOutcome::failed: return "failed";
  }
  return {};
}

std::string packages_of(const Refreshed& one) {
  if (!one.update) return "-";
  const auto& update = one.update->update;
  const auto security = std::count_if(update.changes.begin(), update.changes.end(), [](const auto& change) { return change.security; });
  if (update.changes.empty()) return "0";
  return fmt::format("{} ({} security)", update.changes.size(), security);
}

std::string kept_lines(const Refreshed& one) {
  if (!one.update || one.update->update.kept_back() == 0) return {};
  std::string text = fmt::format("{}: kept back:", escape_untrusted(one.machine.name));
  constexpr std::size_t enough = 10;
  std::size_t told = 0;
  for (const auto& kept : one.update->update.kept) {
    if (one.update->update.mode == repository::Mode::security && !kept.security) continue;
    if (++told > enough) return text + " and more (see vm-patch plan --from-repositories)\n";
    text += fmt::format("{} {} {} ({})", told > 1 ? "," : "", kept.name, kept.candidate, kept.why);
  }
  return text + "\n";
}

}  // namespace

std::string last_word(const Refreshed& one) {
  if (one.error) return fmt::format("{}: {}", to_string(one.error->code), one.error->message);
  return one.outcome == RefreshOutcome::updated ? fmt::format("updated, verified, {}, attested: {} packages", one.report && !one.report->published.empty() ? "published" : "committed", one.update->update.changes.size()) : word(one);
}

std::string format_refreshed(const std::vector<Refreshed>& all) {
  Table table({"MACHINE", "RESULT", "PACKAGES", "KEPT BACK", "UNKNOWN", "AS OF", "TIME", "RUN"});
  std::string problems;
  for (const Refreshed& one : all) {
    table.add_row({escape_untrusted(full_name(one.machine)), word(one), packages_of(one), one.update ? std::to_string(one.update->update.kept_back()) : "-",
                   one.update ? std::to_string(one.update->update.unknown.size()) : "-", one.update ? format_time(one.update->snapshot.date()) : "-",
                   one.report ? format_duration(one.duration) : "-", one.report ? one.report->run_id : "-"});
    if (one.error) problems += fmt::format("{}: {}\n", escape_untrusted(one.machine.name), one.error->message);
    if (one.report && !one.report->published.empty()) problems += fmt::format("{}:\n{}", escape_untrusted(one.machine.name), format_published(*one.report));
    problems += kept_lines(one);
  }
  return table.format() + problems;
}

Json refresh_json(const std::vector<Refreshed>& all) {
  Json machines = Json::array();
  for (const Refreshed& one : all) {
    Json entry{{"machine", machine_json(one.machine)}};
    if (one.update) entry = update_json(one.machine, *one.update);
    entry["result"] = to_string(one.outcome);
    entry["state"] = state_of(one);
    if (one.report) {
      entry["seconds"] = one.duration.count();
      entry["report"] = engine::to_json(*one.report);
    }
    if (!one.note.empty()) entry["note"] = one.note;
    if (one.error) entry["error"] = {{"code", to_string(one.error->code)}, {"message", one.error->message}};
    machines.push_back(std::move(entry));
  }
  return Json{{"schema", "vm-patch/refresh/v1"}, {"machines", std::move(machines)}};
}

}  // namespace vmpatch::cli
