// SARIF 2.1.0: https://docs.oasis-open.org/sarif/sarif/v2.1.0/. The property security-severity is how code-scanning services
// sort rules: https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning

#include <algorithm>
#include <map>

#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/report/scan.hpp"

namespace vmpatch::report {
namespace {

using advisory::Advisory;
using advisory::Severity;
using advisory::Status;

constexpr std::string_view schema_uri = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Of the vulnerability itself, apart from any machine.
std::string security_severity(const Advisory& known) {
  if (known.cvss) return fmt::format("{:.1f}", std::clamp(*known.cvss, 0.0, 10.0));
  switch (known.severity) {
    case Severity::none: return "0.0";
    case Severity::low: return "2.0";
    case Severity::medium:
    case Severity::unknown: return "5.5";
    case Severity::high: return "8.0";
    case Severity::critical: return "9.5";
  }
  return "5.5";
}

std::string_view result_level(const RankedFinding& ranked) {
  const Status status = ranked.finding.status;
  // SARIF 3.27.10: anything but a failure has the level none.
  if (status == Status::not_affected || status == Status::under_investigation) return "none";
  if (ranked.priority.level >= Severity::high) return "error";
  return ranked.priority.level == Severity::medium ? "warning" : "note";
}

std::string_view result_kind(Status status) {
  if (status == Status::not_affected) return "pass";
  return status == Status::under_investigation ? "open" : "fail";
}

Json rule_json(const Advisory& known) {
  const std::string summary = escape_untrusted(known.summary.empty() ? known.id : known.summary);
  Json tags = {"security", "vulnerability"};
  if (known.exploited) tags.push_back("known-exploited");
  Json rule{{"id", escape_untrusted(known.id)}, {"shortDescription", {{"text", summary}}}};
  if (matches_pattern("CVE-[0-9][0-9][0-9][0-9]-[0-9]*", known.id) && known.id.find_first_not_of("CVE-0123456789") == std::string::npos) {
    rule["helpUri"] = "https://www.cve.org/CVERecord?id=" + known.id;
  }
  rule["properties"] = {{"tags", std::move(tags)},
                        {"security-severity", security_severity(known)},
                        {"severitySource", escape_untrusted(known.severity_source)},
                        {"aliases", known.aliases},
                        {"exploited", known.exploited},
                        {"epss", known.epss ? Json(*known.epss) : Json()}};
  return rule;
}

std::string message_of(const MachineScan& machine, const advisory::Finding& finding) {
  std::string text = fmt::format("{}: {} {} on {}: {}", finding.advisory->id, finding.package, finding.installed, machine.full_name(),
                                 advisory::to_string(finding.status));
  if (!finding.fixed.empty()) text += fmt::format(" in {}", finding.fixed);
  if (!finding.reason.empty()) text += fmt::format(" ({})", finding.reason);
  return escape_untrusted(text);
}

Json locations_json(const std::string& name, const std::string& qualified, const char* kind) {
  Json logical = Json::array();
  logical.push_back({{"name", name}, {"fullyQualifiedName", qualified}, {"kind", kind}});
  Json locations = Json::array();
  locations.push_back({{"logicalLocations", std::move(logical)}});
  return locations;
}

Json result_json(const MachineScan& machine, const RankedFinding& ranked, std::size_t rule) {
  const advisory::Finding& finding = ranked.finding;
  const std::string package = escape_untrusted(finding.package);
  Json identity = Json::array({machine.uuid, finding.advisory->id, finding.package});
  if (!machine.snapshot.empty()) identity.push_back(machine.snapshot);
  const std::string fingerprint = sha256(dump_json(identity)).hex();
  return {{"ruleId", escape_untrusted(finding.advisory->id)},
          {"ruleIndex", rule},
          {"kind", result_kind(finding.status)},
          {"level", result_level(ranked)},
          {"message", {{"text", message_of(machine, finding)}}},
          {"locations", locations_json(package, escape_untrusted(machine.full_name()) + "/" + package, "package")},
          {"partialFingerprints", {{"vmPatchFinding/v1", fingerprint}}},
          {"rank", ranked.priority.score},
          {"properties",
           {{"machine", machine_json(machine)},
            {"status", advisory::status_word(finding.status)},
            {"installed", finding.installed},
            {"fixed", finding.fixed.empty() ? Json() : Json(finding.fixed)},
            {"binaries", finding.binaries},
            {"priority", advisory::to_json(ranked.priority)}}}};
}

Json notification_json(const MachineScan& machine) {
  const std::string name = escape_untrusted(machine.full_name());
  return {{"level", "error"},
          {"message", {{"text", "not assessed: " + format_problem(machine.full_name(), *machine.problem)}}},
          {"locations", locations_json(name, name, "machine")}};
}

Json notification_json(const std::string& gap) {
  return {{"level", "error"}, {"message", {{"text", gap}}}};
}

class SarifWriter final : public ScanWriter {
 public:
  SarifWriter(Sink sink, std::string version) : sink_(std::move(sink)), version_(std::move(version)) {}

  void begin(const ScanHead& head) override {
    head_ = head;
    for (const std::string& gap : describe_gaps(head)) notifications_.push_back(notification_json(gap));
    sink_(fmt::format("{{\"$schema\":\"{}\",\"version\":\"2.1.0\",\"runs\":[{{\"results\":[", schema_uri));
  }

  void add(const MachineScan& machine, std::string_view) override {
    if (machine.problem) notifications_.push_back(notification_json(machine));
    for (const RankedFinding& ranked : machine.findings) {
      sink_((results_++ == 0 ? "\n" : ",\n") + dump_json(result_json(machine, ranked, rule_of(*ranked.finding.advisory))));
    }
  }

  void end() override {
    Json driver{{"name", "vm-patch"}, {"version", version_}, {"rules", std::move(rules_)}};
    Json feeds = Json::array();
    for (const advisory::FeedState& feed : head_.feeds) feeds.push_back(advisory::to_json(feed));
    const bool whole = notifications_.empty();
    Json invocations = Json::array();
    invocations.push_back({{"executionSuccessful", whole},
                           {"endTimeUtc", format_time(head_.time)},
                           {"toolExecutionNotifications", std::move(notifications_)}});
    sink_(fmt::format("],\n\"invocations\":{},\n\"properties\":{},\n\"tool\":{}}}]}}\n", dump_json(invocations),
                      dump_json(Json{{"feeds", std::move(feeds)}}), dump_json(Json{{"driver", std::move(driver)}})));
  }

 private:
  std::size_t rule_of(const Advisory& known) {
    const auto [entry, is_new] = index_.try_emplace(known.id, index_.size());
    if (is_new) rules_.push_back(rule_json(known));
    return entry->second;
  }

  Sink sink_;
  std::string version_;
  ScanHead head_;
  std::map<std::string, std::size_t> index_;
  Json rules_ = Json::array(), notifications_ = Json::array();
  std::size_t results_ = 0;
};

}  // namespace

std::unique_ptr<ScanWriter> make_sarif_writer(Sink sink, std::string program_version) {
  return std::make_unique<SarifWriter>(std::move(sink), std::move(program_version));
}

}  // namespace vmpatch::report
