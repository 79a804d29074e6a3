#include "cli/common/plan_text.hpp"
#include "cli/scan/output_target.hpp"
#include "cli/scan/questions.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {

Result<void> tell_answer(const Context& context, const ScanOptions& options, const Answer& answer) {
  const bool json = options.output_format.empty() ? context.options.json : options.output_format == "json";
  VMPATCH_TRY(auto target, OutputTarget::open(options.output));
  target.write(json ? dump_json(answer.json, 2) + "\n" : answer.text);
  return target.finish();
}

Unassessable::Unassessable(const Survey& survey) {
  for (const std::string& host : survey.silent_hosts()) text_ += fmt::format("did not answer: {}\n", escape_untrusted(host));
}

void Unassessable::add(const inventory::Machine& machine, const Error& error) {
  text_ += "not assessed: " + report::format_problem(full_name(machine), error) + "\n";
  json_.push_back({{"machine", machine_json(machine)}, {"reason", error.message}});
}

void Unassessable::add(const inventory::Orphan& orphan, const Error& error) {
  text_ += "not assessed: " + report::format_problem(orphan.path.native(), error) + "\n";
  json_.push_back({{"path", orphan.path.native()}, {"reason", error.message}});
}

Json answer_head(const char* schema, const Survey& survey) {
  Json feeds = Json::array();
  if (survey.feeds()) {
    for (const advisory::FeedState& state : survey.feeds()->states) feeds.push_back(advisory::to_json(state));
  }
  return {{"schema", schema}, {"time", format_time(survey.now())}, {"feeds", std::move(feeds)}, {"silent_hosts", survey.silent_hosts()}};
}

std::string format_lag(const std::optional<report::Lag>& lag) {
  if (!lag) return "-";
  std::string text = fmt::format("{} package{}", lag->packages, lag->packages == 1 ? "" : "s");
  if (lag->days) text += fmt::format(", {} days", *lag->days);
  return text;
}

std::optional<report::Lag> find_lag(const Survey& survey, const MachineFacts& machine) {
  if (!survey.feeds()) return std::nullopt;
  const auto findings = survey.match(machine);
  if (!findings) return std::nullopt;
  return report::measure_lag(*findings, survey.now());
}

}  // namespace vmpatch::cli
