#include <algorithm>

#include "cli/common/output.hpp"
#include "cli/common/plan_text.hpp"
#include "cli/scan/questions.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

struct Row {
  const MachineFacts* machine;
  report::Lag lag;
};

/// Longest behind first; those of which no date is known come after, before those that miss nothing.
bool is_worse(const Row& a, const Row& b) {
  const auto days = [](const Row& row) { return row.lag.days.value_or(row.lag.packages > 0 ? 0 : -1); };
  if (days(a) != days(b)) return days(a) > days(b);
  return a.lag.packages > b.lag.packages;
}

std::string note_of(const inventory::Machine& machine) {
  return machine.has_snapshots ? "has snapshots, which are not assessed" : "";
}

Json to_json(const Row& row) {
  return {{"machine", machine_json(row.machine->machine)},
          {"system", row.machine->facts->os.pretty_name},
          {"lag", report::to_json(row.lag)},
          {"has_snapshots", row.machine->machine.has_snapshots},
          {"snapshots_assessed", false},
          {"read", format_time(row.machine->read)},
          {"cached", row.machine->cached}};
}

}  // namespace

Result<int> ask_lag(Context& context, const ScanOptions& options) {
  VMPATCH_TRY(const auto survey, Survey::make(context, options, {}));
  std::vector<Row> rows;
  Unassessable unassessable(survey);
  for (const MachineFacts& machine : survey.machines()) {
    const auto findings = survey.match(machine);
    if (findings) {
      rows.push_back({&machine, report::measure_lag(*findings, survey.now())});
    } else {
      unassessable.add(machine.machine, findings.error());
    }
  }
  std::stable_sort(rows.begin(), rows.end(), is_worse);
  Table table({"MACHINE", "SYSTEM", "DAYS BEHIND", "PACKAGES", "VULNERABILITIES", "EXPLOITED", "NOTE"});
  Json entries = Json::array();
  for (const Row& row : rows) {
    table.add_row({escape_untrusted(row.machine->machine.name), escape_untrusted(row.machine->facts->os.pretty_name),
                   row.lag.days ? fmt::format("{}", *row.lag.days) : row.lag.packages > 0 ? "not known" : "-",
                   fmt::format("{}", row.lag.packages), fmt::format("{}", row.lag.vulnerabilities), fmt::format("{}", row.lag.exploited),
                   note_of(row.machine->machine)});
    entries.push_back(to_json(row));
  }
  const auto behind = std::count_if(rows.begin(), rows.end(), [](const Row& row) { return row.lag.packages > 0; });
  const std::string text = (table.empty() ? "" : table.format() + "\n") + unassessable.text() +
                           fmt::format("{} of {} machines miss a fix that is available. Packages are those that a fix waits for; days "
                                       "count from the publication of the oldest missing one. Snapshots are not assessed.\n",
                                       behind, survey.machines().size());
  Json json = answer_head("vm-patch/scan-lag/v1", survey);
  json["machines"] = std::move(entries);
  json["unassessable"] = unassessable.json();
  VMPATCH_CHECK(tell_answer(context, options, {text, json}));
  return unassessable.exit_code(behind > 0);
}

}  // namespace vmpatch::cli
