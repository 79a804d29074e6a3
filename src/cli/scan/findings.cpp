#include "cli/scan/findings.hpp"

#include "cli/scan/output_target.hpp"
#include "cli/scan/survey.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::cli {
namespace {

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
  VMPATCH_TRY(level, advisory::parse_severity(word));
  return level;
}

}  // namespace

Result<int> tell_findings(Context& context, const ScanOptions& options) {
  VMPATCH_TRY(const auto filter, report::StatusFilter::parse(options.statuses));
  VMPATCH_TRY(const auto fail_on, parse_fail_on(options.fail_on));
  VMPATCH_TRY(const auto survey, Survey::make(context, options, {}));
  VMPATCH_TRY(auto target, OutputTarget::open(options.output));
  const auto writer = make_writer(options, context.options.json, [&](std::string_view text) { target.write(text); });
  writer->begin({survey.now(), survey.feeds()->states, survey.silent_hosts()});
  bool has_findings = false;
  bool is_whole = survey.silent_hosts().empty();
  for (const MachineFacts& facts : survey.machines()) {
    const auto scan = survey.assess(facts, filter);
    has_findings = has_findings || (fail_on && scan.worst && *scan.worst >= *fail_on);
    is_whole = is_whole && !scan.problem;
    writer->add(scan);
  }
  writer->end();
  VMPATCH_CHECK(target.finish());
  if (has_findings) return 3;
  return is_whole ? 0 : 1;
}

}  // namespace vmpatch::cli
