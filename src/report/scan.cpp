#include "vmpatch/report/scan.hpp"

#include <algorithm>
#include <set>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::report {

using advisory::Finding;
using advisory::Status;

std::vector<RankedFinding> rank_findings(std::vector<Finding> findings, const advisory::Surroundings& surroundings, Time now,
                                         advisory::Detail detail) {
  std::vector<RankedFinding> ranked;
  ranked.reserve(findings.size());
  for (Finding& finding : findings) {
    advisory::Priority priority = advisory::prioritise(finding, surroundings, now, detail);
    ranked.push_back({std::move(finding), std::move(priority)});
  }
  std::sort(ranked.begin(), ranked.end(), [](const RankedFinding& a, const RankedFinding& b) {
    if (a.priority.score != b.priority.score) return a.priority.score > b.priority.score;
    if (a.finding.advisory->id != b.finding.advisory->id) return a.finding.advisory->id < b.finding.advisory->id;
    return a.finding.package < b.finding.package;
  });
  return ranked;
}

StatusFilter::StatusFilter() : wanted_{true, true, true, false} {}

Result<StatusFilter> StatusFilter::parse(const std::vector<std::string>& words) {
  StatusFilter filter;
  if (words.empty()) return filter;
  filter.wanted_ = {};
  const auto add = [&](Status status) { filter.wanted_[static_cast<std::size_t>(status)] = true; };
  for (const std::string& word : words) {
    bool known = false;
    for (const Status status : {Status::affected_fixed, Status::affected_unfixed, Status::under_investigation, Status::not_affected}) {
      const bool affected = status == Status::affected_fixed || status == Status::affected_unfixed;
      if (word != "all" && !(word == "affected" && affected) && word != advisory::status_word(status)) continue;
      add(status);
      known = true;
    }
    if (!known) {
      return fail(Errc::usage, "'{}' is no status; use affected, affected_fixed, affected_unfixed, under_investigation, not_affected or all",
                  escape_untrusted(word));
    }
  }
  return filter;
}

Lag measure_lag(const std::vector<Finding>& findings, Time now) {
  Lag lag;
  std::set<std::string_view> packages;
  std::set<std::string_view> ids;
  std::optional<Time> oldest;
  for (const Finding& finding : findings) {
    if (finding.status != Status::affected_fixed) continue;
    packages.insert(finding.package);
    const advisory::Advisory& known = *finding.advisory;
    if (ids.insert(known.id).second && known.exploited) ++lag.exploited;
    if (known.published && (!oldest || *known.published < *oldest)) oldest = known.published;
  }
  lag.packages = packages.size();
  lag.vulnerabilities = ids.size();
  if (oldest) lag.days = std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::hours>(now - *oldest).count() / 24);
  return lag;
}

Json to_json(const Lag& lag) {
  return {{"packages", lag.packages},
          {"vulnerabilities", lag.vulnerabilities},
          {"exploited", lag.exploited},
          {"days", lag.days ? Json(*lag.days) : Json()}};
}

std::vector<std::string> describe_gaps(const ScanHead& head) {
  std::vector<std::string> gaps;
  for (const std::string& host : head.silent_hosts) gaps.push_back("did not answer: " + escape_untrusted(host));
  for (const std::string& folder : head.unread) gaps.push_back("not read: " + folder);
  for (const advisory::FeedState& feed : head.feeds) {
    if (feed.skipped == 0) continue;
    gaps.push_back(fmt::format("not understood: {} of {} records of feed {}, which may concern these machines", feed.skipped, feed.records,
                               escape_untrusted(feed.origin)));
  }
  return gaps;
}

Json head_json(std::string_view schema, const ScanHead& head) {
  Json feeds = Json::array();
  Json incomplete = Json::array();
  for (const advisory::FeedState& feed : head.feeds) {
    feeds.push_back(advisory::to_json(feed));
    if (feed.skipped > 0) incomplete.push_back(feed.origin);
  }
  return {{"schema", schema}, {"time", format_time(head.time)}, {"feeds", std::move(feeds)}, {"silent_hosts", head.silent_hosts},
          {"unread", head.unread}, {"incomplete_feeds", std::move(incomplete)}};
}

std::string format_problem(const std::string& machine_name, const Error& problem) {
  const std::string name = escape_untrusted(machine_name);
  const std::string& message = problem.message;
  // An image is named by its path, which a message about it has somewhere.
  const bool has_it = message.starts_with(name + " ") || (name.find('/') != std::string::npos && message.find(name) != std::string::npos);
  return has_it ? message : name + ": " + message;
}

std::string MachineScan::full_name() const { return name + (snapshot.empty() ? "" : " at snapshot " + snapshot); }

Json machine_json(const MachineScan& machine) {
  Json json{{"uuid", machine.uuid}, {"name", machine.name}, {"host", machine.host}};
  if (!machine.snapshot.empty()) json["snapshot"] = machine.snapshot;
  return json;
}

}  // namespace vmpatch::report
