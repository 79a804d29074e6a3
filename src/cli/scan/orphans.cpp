#include <algorithm>

#include "cli/common/output.hpp"
#include "cli/scan/questions.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fleet/disk_use.hpp"

namespace vmpatch::cli {
namespace {

using inventory::Orphan;

struct Row {
  const Orphan* orphan;
  const fleet::MachineFacts* machine;  ///< null: its name does not tell its format, so that it was not read
};

/// As bare images are named: the folder's true path.
fs::path image_name(const fs::path& path) {
  std::error_code error;
  const fs::path folder = fs::canonical(path.parent_path(), error);
  return error ? path : folder / path.filename();
}

std::vector<Row> make_rows(const fleet::Survey& survey) {
  std::vector<Row> rows;
  for (const inventory::HostInventory& host : survey.inventory().hosts) {
    for (const Orphan& orphan : host.orphans) {
      const std::string name = image_name(orphan.path).native();
      const auto found = std::find_if(survey.machines().begin(), survey.machines().end(),
                                      [&](const fleet::MachineFacts& machine) { return machine.machine.name == name; });
      rows.push_back({&orphan, found == survey.machines().end() ? nullptr : &*found});
    }
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.orphan->file_size > b.orphan->file_size; });
  return rows;
}

/// Why nothing can be said about it: what is not read is not clean, and neither is a system that no feed speaks of.
std::optional<Error> problem_of(const fleet::Survey& survey, const Row& row) {
  if (row.machine == nullptr) return fail(Errc::unsupported, "not read: its name does not end in .qcow2, .raw or .img");
  if (!row.machine->facts) return row.machine->facts.error();
  if (!survey.feeds()) return std::nullopt;
  const auto findings = survey.match(*row.machine);
  return findings ? std::nullopt : std::optional(findings.error());
}

}  // namespace

Result<int> ask_orphans(Context& context, const ScanOptions& options) {
  ScanOptions of_pools = options;
  of_pools.machines.orphans = true;
  fleet::SurveyOptions wanted;
  wanted.feeds = fleet::FeedNeed::if_named;
  VMPATCH_TRY(const auto survey, make_survey(context, of_pools, wanted));
  Table table({"ORPHAN", "POOL", "ALLOCATED", "SYSTEM", "BEHIND"});
  Json entries = Json::array();
  Unassessable unassessable(survey);
  std::uint64_t bytes = 0;
  for (const Row& row : make_rows(survey)) {
    const std::uint64_t allocated = fleet::allocated_bytes(row.orphan->path);
    const auto problem = problem_of(survey, row);
    if (problem) unassessable.add(*row.orphan, *problem);
    const auto lag = problem ? std::nullopt : find_lag(survey, *row.machine);
    const std::string system = row.machine != nullptr && row.machine->facts ? row.machine->facts->os.pretty_name : "";
    bytes += allocated;
    table.add_row({escape_untrusted(row.orphan->path.native()), escape_untrusted(row.orphan->pool), format_size(allocated),
                   system.empty() && problem ? problem->message : escape_untrusted(system), format_lag(lag)});
    entries.push_back({{"path", row.orphan->path.native()}, {"host", row.orphan->host}, {"pool", row.orphan->pool},
                       {"file_size", row.orphan->file_size}, {"allocated", allocated},
                       {"system", system.empty() ? Json() : Json(system)}, {"reason", problem ? Json(problem->message) : Json()},
                       {"lag", lag ? report::to_json(*lag) : Json()}});
  }
  const std::string text = (table.empty() ? "No orphans in the pools of hosts that answered.\n" : table.format() + "\n") + unassessable.text() +
                           (table.empty() ? "" : fmt::format("{} orphans, {} on disk\n", entries.size(), format_size(bytes)));
  Json json = report::head_json("vm-patch/scan-orphans/v1", survey.head());
  json["orphans"] = std::move(entries);
  unassessable.add_to(json);
  VMPATCH_CHECK(tell_answer(context, options, {text, json}));
  return unassessable.exit_code(false);
}

}  // namespace vmpatch::cli
