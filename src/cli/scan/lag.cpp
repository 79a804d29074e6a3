#include <algorithm>

#include "cli/common/output.hpp"
#include "cli/common/plan_text.hpp"
#include "cli/scan/snapshot_lag.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

struct Row {
  const fleet::MachineFacts* machine;
  report::Lag lag;
  SnapshotLags snapshots;
};

Json to_json(const Row& row, bool with_snapshots) {
  Json json{{"machine", machine_json(row.machine->machine)},
            {"system", row.machine->facts->os.pretty_name},
            {"lag", report::to_json(row.lag)},
            {"has_snapshots", row.machine->machine.has_snapshots},
            {"snapshots_assessed", with_snapshots},
            {"read", format_time(row.machine->read)},
            {"cached", row.machine->cached}};
  if (with_snapshots) row.snapshots.add_to(json);
  return json;
}

std::string snapshot_text(const Row& row, bool with_snapshots) {
  if (with_snapshots) return row.snapshots.text();
  return row.machine->machine.has_snapshots ? "not asked for" : "-";
}

}  // namespace

Result<int> ask_lag(Context& context, const ScanOptions& options) {
  const bool with_snapshots = !options.no_snapshots;
  VMPATCH_TRY(const auto survey, make_survey(context, options, {.snapshots = with_snapshots}));
  std::vector<Row> rows;
  Unassessable unassessable(survey);
  for (std::size_t i = 0; i < survey.machines().size(); ++i) {
    const fleet::MachineFacts& machine = survey.machines()[i];
    const auto findings = survey.match(machine);
    if (!findings) {
      unassessable.add(machine.machine, findings.error());
      continue;
    }
    rows.push_back({&machine, report::measure_lag(*findings, survey.now()), {}});
    if (with_snapshots) rows.back().snapshots = SnapshotLags(survey, i, unassessable);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return is_further_behind(a.lag, b.lag); });
  Table table({"MACHINE", "SYSTEM", "DAYS BEHIND", "PACKAGES", "VULNERABILITIES", "EXPLOITED", "WORST SNAPSHOT"});
  Json entries = Json::array();
  for (const Row& row : rows) {
    table.add_row({escape_untrusted(row.machine->machine.name), escape_untrusted(row.machine->facts->os.pretty_name),
                   row.lag.days ? fmt::format("{}", *row.lag.days) : row.lag.packages > 0 ? "not known" : "-",
                   fmt::format("{}", row.lag.packages), fmt::format("{}", row.lag.vulnerabilities), fmt::format("{}", row.lag.exploited),
                   snapshot_text(row, with_snapshots)});
    entries.push_back(to_json(row, with_snapshots));
  }
  const auto behind = std::count_if(rows.begin(), rows.end(), [](const Row& row) { return row.lag.packages > 0; });
  const std::string text = (table.empty() ? "" : table.format() + "\n") + unassessable.text() +
                           fmt::format("{} of {} machines miss a fix that is available. Packages are those that a fix waits for; days "
                                       "count from the publication of the oldest missing one.{}\n",
                                       behind, survey.machines().size(), with_snapshots ? "" : " Snapshots were left out.");
  Json json = report::head_json("vm-patch/scan-lag/v1", survey.head());
  json["machines"] = std::move(entries);
  unassessable.add_to(json);
  VMPATCH_CHECK(tell_answer(context, options, {text, json}));
  return unassessable.exit_code(behind > 0);
}

}  // namespace vmpatch::cli
