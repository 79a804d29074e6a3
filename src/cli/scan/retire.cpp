#include <algorithm>

#include "cli/common/output.hpp"
#include "cli/common/plan_text.hpp"
#include "cli/scan/questions.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fleet/disk_use.hpp"

namespace vmpatch::cli {
namespace {

using inventory::Machine;

struct Row {
  const fleet::MachineFacts* machine;
  std::optional<fleet::LastStart> last;  ///< nothing = no trace of a start anywhere
  std::int64_t idle_days = 0;
  std::optional<report::Lag> lag;
  std::uint64_t bytes = 0;
};

std::int64_t days_since(Time time, Time now) { return std::chrono::duration_cast<std::chrono::hours>(now - time).count() / 24; }

std::string note_of(const Machine& machine) {
  std::vector<std::string> notes;
  if (machine.is_template) notes.emplace_back("template");
  if (!machine.children.empty()) notes.push_back(fmt::format("{} images stand on it", machine.children.size()));
  if (machine.state == inventory::State::saved) notes.emplace_back("saved memory");
  if (machine.state == inventory::State::crashed || machine.state == inventory::State::hibernated) {
    notes.emplace_back(inventory::to_string(machine.state));
  }
  if (machine.has_snapshots) notes.emplace_back("has snapshots");
  return fmt::format("{}", fmt::join(notes, ", "));
}

std::vector<std::string> cells_of(const Row& row) {
  const Machine& machine = row.machine->machine;
  return {escape_untrusted(machine.name),
          row.last ? format_time(row.last->time).substr(0, 10) : "no trace",
          row.last ? fmt::format("{}", row.idle_days) : "-",
          row.last ? escape_untrusted(row.last->source) : "-",
          format_lag(row.lag),
          format_size(row.bytes),
          note_of(machine)};
}

Json to_json(const Row& row) {
  const Machine& machine = row.machine->machine;
  return {{"machine", machine_json(machine)},
          {"last_start", row.last ? Json(format_time(row.last->time)) : Json()},
          {"evidence", row.last ? Json(row.last->source) : Json()},
          {"idle_days", row.last ? Json(row.idle_days) : Json()},
          {"lag", row.lag ? report::to_json(*row.lag) : Json()},
          {"own_bytes", row.bytes},
          {"template", machine.is_template},
          {"children", machine.children.size()},
          {"has_snapshots", machine.has_snapshots}};
}

}  // namespace

Result<int> ask_retire(Context& context, const ScanOptions& options) {
  fleet::SurveyOptions wanted;
  wanted.feeds = fleet::FeedNeed::if_named;
  VMPATCH_TRY(const auto survey, make_survey(context, options, wanted));
  const fleet::DiskUse disk_use(survey.inventory());
  std::vector<Row> rows;
  Unassessable unassessable(survey);
  for (const fleet::MachineFacts& machine : survey.machines()) {
    if (fleet::is_in_use(machine.machine)) continue;
    if (machine.machine.state == inventory::State::unknown) {
      unassessable.add(machine.machine, fail(Errc::failed, "its state is not known, and so not whether it runs; ask its host with virsh domstate"));
      continue;
    }
    Row row{&machine, fleet::find_last_start(survey.starts(), machine.machine, machine.facts ? &*machine.facts : nullptr, survey.now()), 0, {}, 0};
    if (row.last) row.idle_days = days_since(row.last->time, survey.now());
    if (row.last && row.idle_days < static_cast<std::int64_t>(*options.retire)) continue;
    // Inside an unreadable guest there may be a newer trace.
    if (!machine.facts) {
      unassessable.add(machine.machine, machine.facts.error());
      continue;
    }
    row.lag = find_lag(survey, machine);
    row.bytes = disk_use.own_bytes(machine.machine);
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::pair(a.last.has_value(), a.idle_days) > std::pair(b.last.has_value(), b.idle_days);
  });
  Table table({"MACHINE", "LAST START", "DAYS", "EVIDENCE", "BEHIND", "OWN SIZE", "NOTE"});
  Json entries = Json::array();
  std::uint64_t bytes = 0;
  for (const Row& row : rows) {
    table.add_row(cells_of(row));
    entries.push_back(to_json(row));
    bytes += row.bytes;
  }
  const std::string text =
      (table.empty() ? "" : table.format() + "\n") + unassessable.text() +
      fmt::format("{} of {} machines show no start for {} or more days; {} on disk are theirs alone\n", rows.size(), survey.machines().size(),
                  *options.retire, format_size(bytes));
  Json json = report::head_json("vm-patch/scan-retire/v1", survey.head());
  json["days"] = *options.retire;
  json["machines"] = std::move(entries);
  json["own_bytes"] = bytes;
  unassessable.add_to(json);
  VMPATCH_CHECK(tell_answer(context, options, {text, json}));
  return unassessable.exit_code(false);
}

}  // namespace vmpatch::cli
