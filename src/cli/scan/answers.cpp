#include "cli/common/output_target.hpp"
#include "cli/common/plan_text.hpp"
#include "cli/scan/questions.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {

Result<void> tell_answer(const Context& context, const ScanOptions& options, const Answer& answer) {
  const bool json = options.output_format.empty() ? context.options.json : options.output_format == "json";
  VMPATCH_TRY(auto target, OutputTarget::open(options.output));
  target.write(json ? dump_json(answer.json, 2) + "\n" : answer.text);
  return target.finish();
}

Unassessable::Unassessable(const fleet::Survey& survey) {
  for (const std::string& gap : report::describe_gaps(survey.head())) text_ += gap + "\n";
}

void Unassessable::add(const inventory::Machine& machine, const Error& error) {
  text_ += "not assessed: " + report::format_problem(full_name(machine), error) + "\n";
  json_.push_back({{"machine", machine_json(machine)}, {"reason", error.message}});
}

void Unassessable::add(const inventory::Orphan& orphan, const Error& error) {
  text_ += "not assessed: " + report::format_problem(orphan.path.native(), error) + "\n";
  json_.push_back({{"path", orphan.path.native()}, {"reason", error.message}});
}

void Unassessable::add_to(Json& json) const {
  json["unassessable"] = json_;
  json["complete"] = empty();
}

std::string format_lag(const std::optional<report::Lag>& lag) {
  if (!lag) return "-";
  std::string text = fmt::format("{} package{}", lag->packages, lag->packages == 1 ? "" : "s");
  if (lag->days) text += fmt::format(", {} days", *lag->days);
  return text;
}

std::optional<report::Lag> find_lag(const fleet::Survey& survey, const fleet::MachineFacts& machine) {
  if (!survey.feeds()) return std::nullopt;
  const auto findings = survey.match(machine);
  if (!findings) return std::nullopt;
  return report::measure_lag(*findings, survey.now());
}

}  // namespace vmpatch::cli
