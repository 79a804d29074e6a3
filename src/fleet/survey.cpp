#include "vmpatch/fleet/survey.hpp"

#include <algorithm>

#include "fleet/fleet_reading.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::fleet {
namespace {

using advisory::Finding;
using advisory::Status;

Starts load_starts(const Invocation& invocation, Log& log) {
  auto starts = Starts::load(invocation.paths.custody());
  if (starts) return std::move(*starts);
  log.warn("how often machines start is not known: {}", starts.error().message);
  return {};
}

Result<std::vector<advisory::FeedFile>> find_feeds(const Invocation& invocation, const FeedOptions& options, FeedNeed need,
                                                   const policy::Policy& policy, Log& log) {
  std::vector<advisory::FeedFile> files;
  if (need == FeedNeed::none) return files;
  VMPATCH_TRY(files, obtain_feeds(invocation, options, policy, log));
  if (files.empty() && need == FeedNeed::required) {
    return fail(Errc::usage, "no feed is named; name one with --feed FILE|URL, or in the configuration under feeds");
  }
  return files;
}

bool is_affected(const Finding& finding) {
  return finding.status == Status::affected_fixed || finding.status == Status::affected_unfixed;
}

}  // namespace

Result<Survey> Survey::make(const Invocation& invocation, const SurveyRequest& request, const SurveyOptions& wanted, Log& log,
                            const TellProgress& tell) {
  reading::NullObserver observer;
  VMPATCH_TRY(auto setup, ReadSetup::make(invocation, observer, log));
  // Before minutes of reading: a feed that cannot be had ends everything.
  VMPATCH_TRY(const auto files, find_feeds(invocation, request.feeds, wanted.feeds, setup->policy(), log));
  VMPATCH_TRY(const auto machines, setup->select(invocation, request.machines));
  Survey survey;
  survey.jobs_ = request.reading.jobs == 0 ? setup->policy().jobs : request.reading.jobs;
  survey.head_ = {invocation.clock.now(), {}, setup->selection().silent_hosts, setup->selection().unread_folders};
  survey.inventory_ = setup->selection().inventory;
  survey.starts_ = load_starts(invocation, log);
  advisory::Interest interest;
  interest.everything = wanted.everything;
  survey.machines_ = read_machines(*setup, machines, request.reading, tell, survey.now());
  for (const MachineFacts& machine : survey.machines_) {
    if (machine.facts) interest.add(*machine.facts);
  }
  const bool asks_snapshots = wanted.snapshots && std::any_of(survey.machines_.begin(), survey.machines_.end(), [](const MachineFacts& machine) {
    return !machine.machine.snapshots.empty();
  });
  // They are read once the feeds are there, and may have packages that no machine has now.
  interest.everything = interest.everything || asks_snapshots;
  if (!files.empty()) {
    VMPATCH_TRY(auto feeds, load_feeds(files, std::move(interest), log));
    survey.head_.feeds = feeds.states;
    survey.feeds_ = std::move(feeds);
  }
  if (wanted.snapshots) {
    survey.snapshots_ = ask_snapshots(*setup, survey.machines_, request.reading, tell, [&](const MachineFacts& facts) -> Result<report::Lag> {
      VMPATCH_TRY(const auto findings, survey.match(facts));
      return report::measure_lag(findings, survey.now());
    });
  }
  return survey;
}

advisory::Surroundings Survey::surroundings_of(const MachineFacts& machine) const {
  advisory::Surroundings surroundings;
  surroundings.criticality = machine.machine.metadata.criticality;
  surroundings.exposure = machine.machine.metadata.exposure;
  surroundings.starts_per_week = starts_.per_week(machine.machine, now());
  const auto last = find_last_start(starts_, machine.machine, machine.facts ? &*machine.facts : nullptr, now());
  if (last) surroundings.last_start = last->time;
  return surroundings;
}

Result<std::vector<Finding>> Survey::match(const MachineFacts& machine) const {
  if (!machine.facts) return machine.facts.error();
  const guest::Facts& facts = *machine.facts;
  if (std::none_of(facts.packages.begin(), facts.packages.end(), [](const guest::Package& package) { return package.on_disk(); })) {
    return fail(Errc::unsupported, "no installed package was found on {}, so that nothing can be compared",
                escape_untrusted(machine.machine.name));
  }
  return feeds_->database.match(facts);
}

report::MachineScan Survey::assess(const MachineFacts& machine, const report::StatusFilter& filter, advisory::Detail detail) const {
  report::MachineScan scan;
  scan.uuid = machine.machine.uuid;
  scan.name = machine.machine.name;
  scan.snapshot = machine.machine.at_snapshot;
  scan.host = machine.machine.host;
  if (machine.facts) {
    const guest::Facts& facts = *machine.facts;
    scan.system = facts.os.pretty_name;
    scan.read = machine.read;
    scan.cached = machine.cached;
    scan.packages = static_cast<std::size_t>(std::count_if(facts.packages.begin(), facts.packages.end(),
                                                           [](const guest::Package& package) { return package.on_disk(); }));
  }
  auto findings = match(machine);
  if (!findings) {
    scan.problem = findings.error();
    return scan;
  }
  for (const Finding& finding : *findings) ++scan.counts[static_cast<std::size_t>(finding.status)];
  // Those that are affected are ranked whatever is to be told of: the filter must not turn a bad machine into a good one.
  std::erase_if(*findings, [&](const Finding& finding) { return !filter.has(finding.status) && !is_affected(finding); });
  scan.findings = report::rank_findings(std::move(*findings), surroundings_of(machine), now(), detail);
  for (const report::RankedFinding& ranked : scan.findings) {
    if (is_affected(ranked.finding)) scan.worst = std::max(scan.worst.value_or(advisory::Severity::none), ranked.priority.level);
  }
  std::erase_if(scan.findings, [&](const report::RankedFinding& ranked) { return !filter.has(ranked.finding.status); });
  return scan;
}

}  // namespace vmpatch::fleet
