#include "cli/scan/findings.hpp"

#include <span>

#include "cli/common/output_target.hpp"
#include "cli/scan/make_survey.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/side_by_side.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

/// Machines of which findings are in memory at the same time.
constexpr std::size_t batch_size = 16;

std::unique_ptr<report::ScanWriter> make_writer(const ScanOptions& options, bool json, const report::Sink& sink) {
  if (options.output_format == "csv") return report::make_csv_writer(sink);
  if (options.output_format == "sarif") return report::make_sarif_writer(sink, VMPATCH_VERSION);
  if (options.output_format == "json" || (json && options.output_format.empty())) return report::make_json_writer(sink);
  return make_table_writer(sink, options.explain);
}

/// "never" gives nothing; "none" counts every affected finding.
Result<std::optional<advisory::Severity>> parse_fail_on(const std::string& word) {
  std::optional<advisory::Severity> level;
  if (word == "never") return level;
  VMPATCH_TRY(level, advisory::parse_severity(word.empty() ? "none" : word));
  return level;
}

bool tells_factors(const ScanOptions& options, bool json) {
  if (options.output_format.empty()) return json || options.explain;
  return options.output_format == "json" || options.output_format == "sarif" || (options.output_format == "table" && options.explain);
}

report::MachineScan unassessed(const inventory::Machine& machine, const Error& problem) {
  report::MachineScan scan;
  scan.uuid = machine.uuid;
  scan.name = machine.name;
  scan.snapshot = machine.at_snapshot;
  scan.host = machine.host;
  scan.problem = problem;
  return scan;
}

struct Assessed {
  report::MachineScan scan;
  std::string text;  ///< by the writer's format()
};

/// In their order, side by side.
template <class Assess>
std::vector<Assessed> assess_batch(std::span<const fleet::MachineFacts> machines, unsigned jobs, const Assess& assess) {
  std::vector<Assessed> scans(machines.size());
  side_by_side(machines.size(), jobs, [&](std::size_t i) { scans[i] = assess(machines[i]); });
  return scans;
}

}  // namespace

Result<int> tell_findings(Context& context, const ScanOptions& options) {
  VMPATCH_TRY(const auto filter, report::StatusFilter::parse(options.statuses));
  VMPATCH_TRY(const auto fail_on, parse_fail_on(options.fail_on));
  VMPATCH_TRY(const auto survey, make_survey(context, options, {}));
  VMPATCH_TRY(auto target, OutputTarget::open(options.output));
  const auto writer = make_writer(options, context.options.json, [&](std::string_view text) { target.write(text); });
  writer->begin(survey.head());
  bool has_findings = false;
  bool is_whole = report::describe_gaps(survey.head()).empty();
  const auto detail = tells_factors(options, context.options.json) ? advisory::Detail::factors : advisory::Detail::score;
  const auto assess = [&](const fleet::MachineFacts& facts) {
    auto scan = attempt("assess " + escape_untrusted(facts.machine.name), [&]() -> Result<report::MachineScan> {
      return survey.assess(facts, filter, detail);
    });
    if (!scan) scan = unassessed(facts.machine, scan.error());
    std::string text = writer->format(*scan);
    return Assessed{std::move(*scan), std::move(text)};
  };
  const std::span all(survey.machines());
  for (std::size_t first = 0; first < all.size(); first += batch_size) {
    const auto batch = all.subspan(first, std::min(batch_size, all.size() - first));
    for (const auto& [scan, text] : assess_batch(batch, survey.jobs(), assess)) {
      has_findings = has_findings || (fail_on && scan.worst && *scan.worst >= *fail_on);
      is_whole = is_whole && !scan.problem;
      writer->add(scan, text);
    }
  }
  writer->end();
  VMPATCH_CHECK(target.finish());
  if (has_findings) return 3;
  return is_whole ? 0 : 1;
}

}  // namespace vmpatch::cli
