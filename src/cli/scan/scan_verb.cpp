#include <CLI/CLI.hpp>

#include "cli/common/machine_options.hpp"
#include "cli/scan/findings.hpp"
#include "cli/scan/questions.hpp"
#include "cli/verbs.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

constexpr const char* about = "Find what machines are missing: known vulnerabilities, patch lag, versions, retirement candidates";

constexpr const char* footer =
    "Writes nothing. Disks are read directly, within milliseconds, and again only when they changed since. What cannot be read\n"
    "(a broken disk, a running machine, a system that no feed speaks of) is 'not assessed', never clean.\n"
    "\n"
    "Feeds are files, folders of JSON, or URLs that are fetched into a cache: OSV (records, or the zip of an ecosystem), Debian's\n"
    "security tracker, CSAF 2.0 and VEX, CISA's KEV, EPSS. KIND is osv, debian-tracker, csaf, kev or epss; without it the content\n"
    "tells. '#sha256=HEX' behind a URL pins its content.\n"
    "\n"
    "Priority is 0 to 100, from severity, known exploitation, EPSS, the machine's criticality and exposure (its metadata), its use\n"
    "(the gate's records) and the days since publication: critical from 70, high from 45, medium from 30. --explain shows it.\n"
    "\n"
    "What is assessed is what a machine would start with. --lag looks at its snapshots, too, since a revert takes patches away: the\n"
    "internal ones of its images, and the external ones that libvirt knows; --snapshot shows one. One that was taken of a running\n"
    "machine takes longer.\n"
    "\n"
    "Exit code 3: something at or above --fail-on, whatever --status shows (with --fix: a machine lacks the fix; with --lag: one is\n"
    "behind, as it is now). 1: nothing of that, but some machine, snapshot, image or folder was not assessed, some host did not answer,\n"
    "or some record of a feed was not understood. 0: all assessed by all that the feeds tell, nothing found.\n"
    "\n"
    "Examples:\n"
    "  vm-patch scan --all --feed /srv/feeds/debian-tracker.json --feed /srv/feeds/kev.json --fail-on high\n"
    "  vm-patch scan -d web01 --explain\n"
    "  vm-patch scan --group web --fix CVE-2024-6387\n"
    "  vm-patch scan --all --package openssl\n"
    "  vm-patch scan --all --lag --json\n"
    "  vm-patch scan --all --retire 90\n"
    "  vm-patch scan --orphans\n"
    "  vm-patch scan --folder /srv/images --output-format sarif -o scan.sarif";

void add_feed_options(CLI::App& verb, ScanOptions& options) {
  const char* group = "Feeds";
  verb.add_option("--feed", options.feeds.locations, "feed to compare with; repeatable [feeds of the configuration]")
      ->type_name("[KIND=]FILE|URL")->allow_extra_args(false)->group(group);
  verb.add_flag("--offline", options.feeds.offline, "fetch nothing; use the copies of URLs that are there")->group(group);
  verb.add_flag("--refresh", options.feeds.refresh, "ask the servers even if the copies are young")->group(group);
  verb.add_option("--max-feed-age", options.feeds.max_age, "age from which a copy is fetched again [feed_max_age of the configuration, 24h]")
      ->type_name("TIME")->group(group);
}

void add_result_options(CLI::App& verb, ScanOptions& options) {
  const char* group = "Results";
  verb.add_option("--fail-on", options.fail_on, "exit 3 for affected findings from this priority; none: any; never: not at all [none]")
      ->check(CLI::IsMember({"none", "low", "medium", "high", "critical", "never"}))->type_name("LEVEL")->group(group);
  verb.add_option("--status", options.statuses,
                  "findings to show, repeatable; the exit code counts all: affected, affected_fixed, affected_unfixed, under_investigation, not_affected, all "
                  "[all but not_affected]")
      ->type_name("STATUS")->allow_extra_args(false)->group(group);
  verb.add_flag("--explain", options.explain, "every factor of the priority, and why it matched")->group(group);
  verb.add_option("--output-format", options.output_format, "table, json, csv or sarif [table; json with --json]")
      ->check(CLI::IsMember({"table", "json", "csv", "sarif"}))->type_name("WORD")->group(group);
  verb.add_option("-o,--output", options.output, "file for the result, which appears whole or not at all [standard output]")
      ->type_name("FILE")->group(group);
}

void add_questions(CLI::App& verb, ScanOptions& options) {
  const char* group = "Questions instead of a list of findings (tables and JSON)";
  verb.add_option("--fix", options.fix, "which machines lack the fix of this vulnerability, and whom the gate would refuse for it")
      ->type_name("CVE")->group(group);
  verb.add_option("--package", options.package, "all versions of this binary or source package, and where; needs no feed")
      ->type_name("NAME|PATTERN")->group(group);
  auto* lag = verb.add_flag("--lag", options.lag, "how many packages and days each machine is behind, and the worst of its snapshots")
                  ->group(group);
  verb.add_flag("--no-snapshots", options.no_snapshots, "with --lag: leave the snapshots out")->needs(lag)->group(group);
  verb.add_option("--retire", options.retire, "machines without a start in so many days, with size and lag")
      ->check(CLI::Range(1, 36500))->type_name("DAYS")->group(group);
  verb.add_flag("--orphans", options.orphans, "images of the storage pools that nothing refers to, with size, system and lag")->group(group);
}

int count_questions(const ScanOptions& options) {
  return int{options.fix.has_value()} + int{options.package.has_value()} + int{options.lag} + int{options.retire.has_value()} + int{options.orphans};
}

Result<void> check_options(const ScanOptions& options) {
  const int questions = count_questions(options);
  if (questions > 1) return fail(Errc::usage, "one question at a time: --fix, --package, --lag, --retire or --orphans");
  if (questions == 1 && (options.output_format == "csv" || options.output_format == "sarif")) {
    return fail(Errc::usage, "this question is answered as table or json, not as {}", options.output_format);
  }
  const bool about_findings = !options.fail_on.empty() || !options.statuses.empty() || options.explain;
  if (questions == 1 && about_findings) {
    return fail(Errc::usage, "--fail-on, --status and --explain are about the list of findings, which this question does not give");
  }
  if (questions == 1 && !options.machines.snapshot.empty()) {
    return fail(Errc::usage, "--snapshot goes with the list of findings; --lag looks at every snapshot by itself");
  }
  if (options.fix && trim(*options.fix).empty()) return fail(Errc::usage, "--fix: name a vulnerability, as CVE-2024-6387");
  if (options.package && trim(*options.package).empty()) return fail(Errc::usage, "--package: name a package, as openssl");
  if (options.feeds.offline && options.feeds.refresh) return fail(Errc::usage, "--offline and --refresh contradict each other");
  const fleet::MachineOptions& named = options.machines;
  if (options.orphans && !(named.domains.empty() && named.images.empty() && named.groups.empty() && named.folders.empty())) {
    return fail(Errc::usage, "--orphans looks at the storage pools of the hosts; name no machine with it");
  }
  return {};
}

Result<int> run_scan(Context& context, const ScanOptions& options) {
  VMPATCH_CHECK(check_options(options));
  if (options.fix) return ask_fix(context, options);
  if (options.package) return ask_package(context, options);
  if (options.lag) return ask_lag(context, options);
  if (options.retire) return ask_retire(context, options);
  if (options.orphans) return ask_orphans(context, options);
  return tell_findings(context, options);
}

}  // namespace

void add_scan_verb(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("scan", about);
  auto options = std::make_shared<ScanOptions>();
  add_machine_options(*verb, options->machines);
  add_snapshot_option(*verb, options->machines);
  verb->add_flag("--fresh", options->reading.fresh, "read the disks again whatever is known of them");
  verb->add_option("-j,--jobs", options->reading.jobs, "machines read side by side [jobs of the configuration, 2]")
      ->check(CLI::Range(1, 64))->type_name("N");
  add_feed_options(*verb, *options);
  add_result_options(*verb, *options);
  add_questions(*verb, *options);
  verb->footer(footer);
  verb->callback([options, &chosen] {
    chosen.action = [options](Context& context) { return run_scan(context, *options); };
  });
}

}  // namespace vmpatch::cli
