#include <algorithm>

#include "cli/common/output.hpp"
#include "cli/scan/disk_use.hpp"
#include "cli/scan/questions.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

using inventory::Orphan;

struct Row {
  const Orphan* orphan;
  const MachineFacts* machine;  ///< null: its name does not tell its format, so that it was not read
};

/// As bare images are named: the folder's true path.
fs::path image_name(const fs::path& path) {
  std::error_code error;
  const fs::path folder = fs::canonical(path.parent_path(), error);
  return error ? path : folder / path.filename();
}

std::vector<Row> make_rows(const Survey& survey) {
  std::vector<Row> rows;
  for (const inventory::HostInventory& host : survey.inventory().hosts) {
    for (const Orphan& orphan : host.orphans) {
      const std::string name = image_name(orphan.path).native();
      const auto found = std::find_if(survey.machines().begin(), survey.machines().end(),
                                      [&](const MachineFacts& machine) { return machine.machine.name == name; });
      rows.push_back({&orphan, found == survey.machines().end() ? nullptr : &*found});
    }
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.orphan->file_size > b.orphan->file_size; });
  return rows;
}

/// Why nothing is known of its content; empty = something is.
std::string problem_of(const Row& row) {
  if (row.machine == nullptr) return "not read: its name does not end in .qcow2, .raw or .img";
  return row.machine->facts ? "" : row.machine->facts.error().message;
}

}  // namespace

Result<int> ask_orphans(Context& context, const ScanOptions& options) {
  ScanOptions of_pools = options;
  of_pools.machines.orphans = true;
  SurveyOptions wanted;
  wanted.feeds = FeedNeed::if_named;
  VMPATCH_TRY(const auto survey, Survey::make(context, of_pools, wanted));
  Table table({"ORPHAN", "POOL", "ALLOCATED", "SYSTEM", "BEHIND"});
  Json entries = Json::array();
  std::uint64_t bytes = 0;
  for (const Row& row : make_rows(survey)) {
    const std::uint64_t allocated = allocated_bytes(row.orphan->path);
    const std::string problem = problem_of(row);
    const auto lag = problem.empty() ? find_lag(survey, *row.machine) : std::nullopt;
    const std::string system = problem.empty() ? row.machine->facts->os.pretty_name : "";
    bytes += allocated;
    table.add_row({escape_untrusted(row.orphan->path.native()), escape_untrusted(row.orphan->pool), format_size(allocated),
                   problem.empty() ? escape_untrusted(system) : problem, format_lag(lag)});
    entries.push_back({{"path", row.orphan->path.native()}, {"host", row.orphan->host}, {"pool", row.orphan->pool},
                       {"file_size", row.orphan->file_size}, {"allocated", allocated},
                       {"system", problem.empty() ? Json(system) : Json()}, {"reason", problem.empty() ? Json() : Json(problem)},
                       {"lag", lag ? report::to_json(*lag) : Json()}});
  }
  const Unassessable unassessable(survey);
  const std::string text = unassessable.text() +
                           (table.empty() ? "No orphans in the pools of hosts that answered.\n"
                                          : table.format() + fmt::format("\n{} orphans, {} on disk\n", entries.size(), format_size(bytes)));
  Json json = answer_head("vm-patch/scan-orphans/v1", survey);
  json["orphans"] = std::move(entries);
  VMPATCH_CHECK(tell_answer(context, options, {text, json}));
  return unassessable.exit_code(false);
}

}  // namespace vmpatch::cli
