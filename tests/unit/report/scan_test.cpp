#include "vmpatch/report/scan.hpp"

#include <gtest/gtest.h>

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::report {
namespace {

using advisory::Advisory;
using advisory::Finding;
using advisory::Status;

const Time now = parse_time("2026-11-01").value();

std::shared_ptr<const Advisory> make_advisory(const std::string& id, double cvss, const std::string& published = "") {
  Advisory known;
  known.id = id;
  known.aliases = {"DSA-1-1"};
  known.summary = "buffer \"overflow\", remote";
  known.cvss = cvss;
  known.severity = advisory::Severity::high;
  known.severity_source = "CVSS 3.1";
  if (!published.empty()) known.published = parse_time(published).value();
  return std::make_shared<const Advisory>(known);
}

Finding make_finding(std::shared_ptr<const Advisory> known, const std::string& package, Status status) {
  Finding finding;
  finding.advisory = std::move(known);
  finding.package = package;
  finding.installed = "1.0-1";
  finding.binaries = {package + " amd64 1.0-1"};
  finding.status = status;
  if (status == Status::affected_fixed) finding.fixed = "1.0-2";
  finding.reason = "1.0-1 is lower";
  finding.sources = {"osv:DSA-1-1"};
  return finding;
}

MachineScan make_scan() {
  MachineScan scan;
  scan.uuid = "11111111-0000-4000-8000-000000000001";
  scan.name = "=web\x1b[31m";
  scan.host = "qemu:///system";
  scan.system = "Debian GNU/Linux 12 (bookworm)";
  scan.read = now;
  scan.packages = 2;
  scan.findings = rank_findings({make_finding(make_advisory("CVE-2026-0001", 3.1), "+odd", Status::affected_unfixed),
                                 make_finding(make_advisory("CVE-2026-0002", 9.8), "openssl", Status::affected_fixed),
                                 make_finding(make_advisory("CVE-2026-0003", 9.8), "bash", Status::under_investigation),
                                 make_finding(make_advisory("CVE-2026-0004", 9.8), "bash", Status::not_affected)},
                                {}, now);
  scan.counts = {1, 1, 1, 1};
  return scan;
}

MachineScan make_broken() {
  MachineScan scan;
  scan.uuid = "11111111-0000-4000-8000-000000000002";
  scan.name = "broken";
  scan.host = "file";
  scan.problem = make_error(Errc::failed, "the disk cannot be read");
  return scan;
}

ScanHead make_head() {
  ScanHead head;
  head.time = now;
  head.feeds.resize(1);
  head.feeds[0].origin = "/feeds/osv.json";
  return head;
}

using Maker = std::function<std::unique_ptr<ScanWriter>(Sink)>;

std::string write(const Maker& make, const std::vector<MachineScan>& machines, const ScanHead& head = make_head()) {
  std::string text;
  const auto writer = make([&](std::string_view piece) { text += piece; });
  writer->begin(head);
  for (const MachineScan& machine : machines) writer->add(machine, writer->format(machine));
  writer->end();
  return text;
}

TEST(RankFindings, MostUrgentComesFirstAndWhatIsNotAffectedLast) {
  std::vector<std::string> ids;
  for (const RankedFinding& ranked : make_scan().findings) ids.push_back(ranked.finding.advisory->id);
  EXPECT_EQ(ids, (std::vector<std::string>{"CVE-2026-0002", "CVE-2026-0003", "CVE-2026-0001", "CVE-2026-0004"}));
}

TEST(StatusFilterTest, WithoutWordsWhatIsNotAffectedIsLeftOut) {
  const StatusFilter filter = StatusFilter::parse({}).value();
  EXPECT_TRUE(filter.has(Status::affected_fixed));
  EXPECT_TRUE(filter.has(Status::affected_unfixed));
  EXPECT_TRUE(filter.has(Status::under_investigation));
  EXPECT_FALSE(filter.has(Status::not_affected));
}

TEST(StatusFilterTest, WordsSelectAndUnknownOnesAreUsageErrors) {
  const StatusFilter affected = StatusFilter::parse({"affected"}).value();
  EXPECT_TRUE(affected.has(Status::affected_fixed));
  EXPECT_TRUE(affected.has(Status::affected_unfixed));
  EXPECT_FALSE(affected.has(Status::under_investigation));
  EXPECT_TRUE(StatusFilter::parse({"all"})->has(Status::not_affected));
  const StatusFilter two = StatusFilter::parse({"affected_fixed", "not_affected"}).value();
  EXPECT_FALSE(two.has(Status::affected_unfixed));
  EXPECT_TRUE(two.has(Status::not_affected));
  const auto wrong = StatusFilter::parse({"clean"});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Errc::usage);
}

TEST(MeasureLag, CountsDistinctPackagesWithAFixAndTheOldestDay) {
  const auto old = make_advisory("CVE-2026-0001", 5, "2026-09-22");
  const auto young = make_advisory("CVE-2026-0002", 5, "2026-10-30");
  const auto older_without_fix = make_advisory("CVE-2020-0001", 5, "2020-01-01");
  const Lag lag = measure_lag({make_finding(old, "openssl", Status::affected_fixed), make_finding(young, "openssl", Status::affected_fixed),
                               make_finding(young, "curl", Status::affected_fixed), make_finding(older_without_fix, "bash", Status::affected_unfixed),
                               make_finding(older_without_fix, "perl", Status::not_affected)}, now);
  EXPECT_EQ(lag.packages, 2U);
  EXPECT_EQ(lag.vulnerabilities, 2U);
  EXPECT_EQ(lag.days, 40);
}

TEST(MeasureLag, NothingMissingHasNoDays) {
  const Lag lag = measure_lag({make_finding(make_advisory("CVE-2020-0001", 5, "2020-01-01"), "bash", Status::affected_unfixed)}, now);
  EXPECT_EQ(lag.packages, 0U);
  EXPECT_FALSE(lag.days);
}

TEST(MeasureLag, AFixWithoutADateCountsAsPackageAndNotAsDays) {
  const Lag lag = measure_lag({make_finding(make_advisory("CVE-2026-0001", 5), "bash", Status::affected_fixed)}, now);
  EXPECT_EQ(lag.packages, 1U);
  EXPECT_FALSE(lag.days);
}

TEST(JsonWriter, TheStreamIsTheDocumentThatIndentationByTwoGives) {
  for (const auto& machines : std::vector<std::vector<MachineScan>>{{}, {make_broken()}, {make_scan(), make_broken()}}) {
    const std::string text = write(make_json_writer, machines);
    const auto json = parse_json(text, "scan");
    ASSERT_TRUE(json) << json.error().message << text;
    EXPECT_EQ(dump_json(*json, 2) + "\n", text);
  }
}

TEST(JsonWriter, MachinesFeedsAndSummaryAreThere) {
  const Json json = parse_json(write(make_json_writer, {make_scan(), make_broken()}), "scan").value();
  EXPECT_EQ(json["schema"], "vm-patch/scan/v1");
  EXPECT_EQ(json["feeds"][0]["origin"], "/feeds/osv.json");
  const Json& first = json["machines"][0];
  EXPECT_EQ(first["assessed"], true);
  EXPECT_EQ(first["machine"]["name"], "=web\x1b[31m");
  EXPECT_EQ(first["findings"][0]["advisory"]["id"], "CVE-2026-0002");
  EXPECT_EQ(first["findings"][0]["status"], "affected_fixed");
  EXPECT_EQ(first["findings"][0]["priority"]["factors"].size(), 7U);
  EXPECT_EQ(first["counts"]["not_affected"], 1);
  const Json& second = json["machines"][1];
  EXPECT_EQ(second["assessed"], false);
  EXPECT_EQ(second["reason"], "the disk cannot be read");
  EXPECT_TRUE(second["counts"].is_null());
  EXPECT_EQ(json["summary"]["unassessable"], 1);
  EXPECT_EQ(json["summary"]["counts"]["affected_unfixed"], 1);
}

TEST(DescribeGaps, WhatMakesAnAnswerIncompleteIsALineEach) {
  ScanHead head = make_head();
  EXPECT_TRUE(describe_gaps(head).empty());
  head.silent_hosts = {"qemu+ssh://\x1bhost"};
  head.unread = {"/images/closed: this folder may not be read"};
  head.feeds[0].records = 7;
  head.feeds[0].skipped = 2;
  const auto gaps = describe_gaps(head);
  ASSERT_EQ(gaps.size(), 3U);
  EXPECT_EQ(gaps[0], "did not answer: qemu+ssh://\\x1Bhost");
  EXPECT_EQ(gaps[1], "not read: /images/closed: this folder may not be read");
  EXPECT_NE(gaps[2].find("2 of 7 records of feed /feeds/osv.json"), std::string::npos) << gaps[2];
  const Json json = head_json("x/v1", head);
  EXPECT_EQ(json["incomplete_feeds"], Json::array({"/feeds/osv.json"}));
  EXPECT_EQ(json["unread"].size(), 1U);
}

TEST(JsonWriter, SummarySaysWhetherTheAnswerIsComplete) {
  const auto is_complete = [](const std::vector<MachineScan>& machines, const ScanHead& head) {
    return parse_json(write(make_json_writer, machines, head), "scan").value()["summary"]["complete"].get<bool>();
  };
  EXPECT_TRUE(is_complete({make_scan()}, make_head()));
  EXPECT_FALSE(is_complete({make_scan(), make_broken()}, make_head()));
  ScanHead head = make_head();
  head.feeds[0].skipped = 1;
  EXPECT_FALSE(is_complete({make_scan()}, head));
}

TEST(CsvWriter, EveryLineHasTheHeadersCellsAndNoFormulas) {
  const std::string text = write(make_csv_writer, {make_scan(), make_broken()});
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = text.find("\r\n", at)) != std::string::npos; at += 2) ++lines;
  EXPECT_EQ(lines, 6U);  // header, four findings, one machine
  EXPECT_EQ(text.find("machine,uuid,host,status,id,"), 0U);
  EXPECT_NE(text.find("\r\n'=web\\x1B[31m,11111111-0000-4000-8000-000000000001,"), std::string::npos) << text;
  EXPECT_NE(text.find(",'+odd,"), std::string::npos) << text;
  EXPECT_NE(text.find("broken,11111111-0000-4000-8000-000000000002,file,unassessable,"), std::string::npos) << text;
  EXPECT_EQ(text.find("\x1b"), std::string::npos);
}

TEST(CsvWriter, QuotesAndCommasAreQuoted) {
  MachineScan scan = make_scan();
  scan.name = "a,\"b\"";
  scan.findings.resize(1);
  const std::string text = write(make_csv_writer, {scan});
  EXPECT_NE(text.find("\r\n\"a,\"\"b\"\"\","), std::string::npos) << text;
}

TEST(CsvWriter, NoSignOfAFormulaIsFirst) {
  for (const std::string name : {"=1+1", "+1", "-1", "@SUM(A1)"}) {
    MachineScan scan = make_scan();
    scan.name = name;
    const std::string text = write(make_csv_writer, {scan});
    EXPECT_NE(text.find("\r\n'" + name), std::string::npos) << text;
  }
}

class Sarif : public ::testing::Test {
 protected:
  const Json json = parse_json(write([](Sink sink) { return make_sarif_writer(std::move(sink), "1.2.3"); }, {make_scan(), make_broken()}), "sarif").value();
  const Json& run = json["runs"][0];
};

TEST_F(Sarif, TheFrameIsThatOfVersion2_1_0) {
  EXPECT_EQ(json["version"], "2.1.0");
  EXPECT_EQ(json["runs"].size(), 1U);
  EXPECT_EQ(run["tool"]["driver"]["name"], "vm-patch");
  EXPECT_EQ(run["tool"]["driver"]["version"], "1.2.3");
  for (const auto& [key, value] : json.items()) EXPECT_TRUE(key == "$schema" || key == "version" || key == "runs") << key;
}

TEST_F(Sarif, EveryResultPointsAtItsRuleAndPlace) {
  const Json& rules = run["tool"]["driver"]["rules"];
  ASSERT_EQ(run["results"].size(), 4U);
  ASSERT_EQ(rules.size(), 4U);
  for (const Json& result : run["results"]) {
    const Json& rule = rules.at(result["ruleIndex"].get<std::size_t>());
    EXPECT_EQ(rule["id"], result["ruleId"]);
    EXPECT_TRUE(rule["properties"]["security-severity"].is_string());
    ASSERT_TRUE(result["locations"].is_array());
    EXPECT_EQ(result["locations"][0]["logicalLocations"][0]["kind"], "package");
    EXPECT_EQ(result["partialFingerprints"]["vmPatchFinding/v1"].get<std::string>().size(), 64U);
    EXPECT_FALSE(result["message"]["text"].get<std::string>().empty());
    EXPECT_GE(result["rank"], 0);
    EXPECT_LE(result["rank"], 100);
    // SARIF 2.1.0 §3.27.10
    EXPECT_TRUE(result["kind"] == "fail" || result["level"] == "none") << result["kind"];
  }
  EXPECT_EQ(rules[0]["properties"]["security-severity"], "9.8");
  EXPECT_EQ(run["results"][0]["level"], "error");
  EXPECT_EQ(run["results"][0]["locations"][0]["logicalLocations"][0]["fullyQualifiedName"], "=web\\x1B[31m/openssl");
}

TEST_F(Sarif, AMachineThatWasNotAssessedMakesTheRunUnsuccessful) {
  const Json& invocation = run["invocations"][0];
  EXPECT_EQ(invocation["executionSuccessful"], false);
  ASSERT_EQ(invocation["toolExecutionNotifications"].size(), 1U);
  EXPECT_EQ(invocation["toolExecutionNotifications"][0]["level"], "error");
  EXPECT_EQ(invocation["toolExecutionNotifications"][0]["message"]["text"], "not assessed: broken: the disk cannot be read");
}

TEST_F(Sarif, AFeedThatWasNotUnderstoodMakesTheRunUnsuccessful) {
  const auto invocation_of = [](const ScanHead& head) {
    return parse_json(write([](Sink sink) { return make_sarif_writer(std::move(sink), "1"); }, {make_scan()}, head), "sarif").value()["runs"][0]["invocations"][0];
  };
  EXPECT_EQ(invocation_of(make_head())["executionSuccessful"], true);
  ScanHead head = make_head();
  head.feeds[0].skipped = 1;
  EXPECT_EQ(invocation_of(head)["executionSuccessful"], false);
  EXPECT_EQ(invocation_of(head)["toolExecutionNotifications"].size(), 1U);
}

TEST_F(Sarif, FingerprintsAreThoseOfMachineVulnerabilityAndPackageAlone) {
  MachineScan later = make_scan();
  for (RankedFinding& ranked : later.findings) ranked.finding.installed = "1.0-1+b1";
  const Json again = parse_json(write([](Sink sink) { return make_sarif_writer(std::move(sink), "9"); }, {later}), "sarif").value();
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(again["runs"][0]["results"][i]["partialFingerprints"], run["results"][i]["partialFingerprints"]);
  }
}

}  // namespace
}  // namespace vmpatch::report
