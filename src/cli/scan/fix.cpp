#include <algorithm>
#include <set>

#include "cli/common/output.hpp"
#include "cli/common/plan_text.hpp"
#include "cli/scan/questions.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/gate/decision.hpp"

namespace vmpatch::cli {
namespace {

using advisory::Finding;
using advisory::Status;

struct Row {
  const inventory::Machine* machine;
  std::vector<Finding> findings;  ///< of the vulnerabilities asked for
  std::string answer;             ///< missing, no fix yet, under investigation, not affected
  std::string group;              ///< "" = none
  std::string gate;               ///< refuse, warn, none: what the gate would do if the fix were its baseline; "" where it is not affected
};

/// What the hook follows is what was published; before anything was, it is what the configuration would publish.
Json find_gate_policy(const Context& context, const policy::Policy& configured) {
  const auto facts = ledger::read_gate_facts(context.paths.ledger(), "", {}, context.clock.now());
  return facts && !facts->policy.is_null() ? facts->policy : policy::gate_policy_json(configured);
}

std::string answer_of(const std::vector<Finding>& findings) {
  const auto has = [&](Status status) { return std::ranges::any_of(findings, [&](const Finding& finding) { return finding.status == status; }); };
  if (has(Status::affected_fixed)) return "missing";
  if (has(Status::affected_unfixed)) return "no fix yet";
  return has(Status::under_investigation) ? "under investigation" : "not affected";
}

/// As it stands in JSON.
std::string answer_word(std::string answer) {
  std::ranges::replace(answer, ' ', '_');
  return answer;
}

Row make_row(const inventory::Machine& machine, std::vector<Finding> findings, const Json& gate_policy) {
  Row row{&machine, std::move(findings), "", "", ""};
  row.answer = answer_of(row.findings);
  const Json group = machine.bare ? Json() : gate::find_group(gate_policy, machine);
  if (group.is_object()) row.group = group.value("name", "");
  if (row.answer != "missing" && row.answer != "no fix yet") return row;
  row.gate = !group.is_object() ? "none" : group.value("action", "deny") == "warn" ? "warn" : "refuse";
  return row;
}

std::string format_gate(const Row& row) {
  if (row.gate == "refuse") return "would be refused at the next start";
  if (row.gate == "warn") return "would be recorded, not refused";
  return row.gate == "none" ? "does not hold this machine" : "-";
}

template <class Part>
std::string lines_of(const std::vector<Finding>& findings, const Part& part) {
  std::vector<std::string> lines;
  for (const Finding& finding : findings) lines.push_back(part(finding));
  return lines.empty() ? "-" : fmt::format("{}", fmt::join(lines, "\n"));
}

std::vector<std::string> cells_of(const Row& row) {
  const auto fixed = [](const Finding& finding) {
    if (finding.status == Status::not_affected) return "not affected: " + escape_untrusted(finding.reason);
    return finding.fixed.empty() ? std::string(advisory::to_string(finding.status)) : escape_untrusted(finding.fixed);
  };
  return {escape_untrusted(row.machine->name),
          row.answer,
          lines_of(row.findings, [](const Finding& finding) { return escape_untrusted(finding.advisory->id); }),
          lines_of(row.findings, [](const Finding& finding) { return escape_untrusted(finding.package); }),
          lines_of(row.findings, [](const Finding& finding) { return escape_untrusted(finding.installed); }),
          row.findings.empty() ? "concerns nothing that is installed" : lines_of(row.findings, fixed),
          row.group.empty() ? "-" : escape_untrusted(row.group),
          format_gate(row)};
}

Json to_json(const Row& row) {
  Json findings = Json::array();
  for (const Finding& finding : row.findings) {
    Json json = advisory::to_json(finding);
    json["advisory"] = finding.advisory->id;
    findings.push_back(std::move(json));
  }
  return {{"machine", machine_json(*row.machine)},
          {"answer", answer_word(row.answer)},
          {"group", row.group.empty() ? Json() : Json(row.group)},
          {"gate", row.gate.empty() ? Json() : Json(row.gate)},
          {"findings", std::move(findings)}};
}

std::string headline(const advisory::Advisory& known) {
  std::string text = escape_untrusted(known.id);
  if (!known.aliases.empty()) text += fmt::format(" ({})", escape_untrusted(fmt::format("{}", fmt::join(known.aliases, ", "))));
  text += fmt::format(", severity {}", advisory::to_string(known.severity));
  if (known.exploited) text += ", known to be exploited";
  if (!known.summary.empty()) text += ": " + escape_untrusted(known.summary);
  return text + "\n";
}

/// The id may be one of an announcement that fixes several vulnerabilities: then it is asked for each of them.
Result<std::vector<std::shared_ptr<const advisory::Advisory>>> find_asked(const advisory::Database& database, const std::string& id) {
  auto known = database.find_all(id);
  if (known.empty()) {
    return fail(Errc::not_found, "no feed has a record of {}, so that nothing can be said about any machine; check the id, or name "
                "the feed that tells of it", escape_untrusted(id));
  }
  return known;
}

std::set<std::string> ids_of(const std::vector<std::shared_ptr<const advisory::Advisory>>& known) {
  std::set<std::string> ids;
  for (const auto& one : known) ids.insert(one->id);
  return ids;
}

std::string format_totals(std::size_t machines, std::size_t missing, std::size_t unfixed, std::size_t refused) {
  std::string text;
  if (unfixed == 0 || missing > 0) text = fmt::format("{} of {} machines lack the fix", missing, machines);
  if (unfixed > 0) text += fmt::format("{}{} of {} machines are affected, and there is no fix yet", text.empty() ? "" : "; ", unfixed, machines);
  return text + fmt::format("; the gate would refuse {} of them at the next start\n", refused);
}

}  // namespace

Result<int> ask_fix(Context& context, const ScanOptions& options) {
  fleet::SurveyOptions wanted;
  wanted.everything = true;  // "nobody has it" is another answer than "nobody knows it"
  VMPATCH_TRY(const auto survey, make_survey(context, options, wanted));
  VMPATCH_TRY(const auto known, find_asked(survey.feeds()->database, *options.fix));
  const auto ids = ids_of(known);
  VMPATCH_TRY(const auto configured, policy::load_policy(context.paths.config));
  const Json gate_policy = find_gate_policy(context, configured);
  Table table({"MACHINE", "FIX", "ID", "PACKAGE", "INSTALLED", "FIXED IN", "GROUP", "GATE, WERE IT A BASELINE"});
  Json entries = Json::array();
  Unassessable unassessable(survey);
  std::size_t missing = 0;
  std::size_t unfixed = 0;
  std::size_t refused = 0;
  for (const fleet::MachineFacts& machine : survey.machines()) {
    auto findings = survey.match(machine);
    if (!findings) {
      unassessable.add(machine.machine, findings.error());
      continue;
    }
    std::erase_if(*findings, [&](const Finding& finding) { return !ids.contains(finding.advisory->id); });
    const Row row = make_row(machine.machine, std::move(*findings), gate_policy);
    missing += row.answer == "missing" ? 1 : 0;
    unfixed += row.answer == "no fix yet" ? 1 : 0;
    refused += row.gate == "refuse" ? 1 : 0;
    table.add_row(cells_of(row));
    entries.push_back(to_json(row));
  }
  std::string head;
  Json advisories = Json::array();
  for (const auto& one : known) {
    head += headline(*one);
    advisories.push_back(advisory::to_json(*one));
  }
  const std::string text =
      head + "\n" + (table.empty() ? "" : table.format() + "\n") + unassessable.text() +
      format_totals(survey.machines().size(), missing, unfixed, refused);
  Json json = report::head_json("vm-patch/scan-fix/v1", survey.head());
  json["advisories"] = std::move(advisories);
  json["machines"] = std::move(entries);
  unassessable.add_to(json);
  VMPATCH_CHECK(tell_answer(context, options, {text, json}));
  return unassessable.exit_code(missing + unfixed > 0);
}

}  // namespace vmpatch::cli
