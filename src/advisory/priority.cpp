#include "vmpatch/advisory/priority.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {
namespace {

// The weights and thresholds of the section "Priority" in README.md: change both together.
constexpr double most_severity = 40;
constexpr double most_exploited = 25;
constexpr double most_epss = 10;
constexpr double most_criticality = 8;
constexpr double most_exposure = 7;
constexpr double most_use = 5;
constexpr double most_days_open = 5;

constexpr double exploited_points = 20;  // ransomware adds the rest
constexpr double full_days_open = 90;
constexpr double full_starts_per_week = 7;
constexpr double half_life_days = 30;

struct Word {
  std::string_view word;
  double points;
};

constexpr std::array<Word, 4> criticalities{{{"low", 0}, {"medium", 3}, {"high", 6}, {"critical", 8}}};
constexpr std::array<Word, 3> exposures{{{"none", 0}, {"internal", 3}, {"internet", 7}}};

double days_between(Time from, Time to) {
  return std::max(0.0, std::chrono::duration<double, std::ratio<86400>>(to - from).count());
}

double share_of(double value, double full) { return std::isnan(value) ? 0 : std::clamp(value / full, 0.0, 1.0); }

/// As CVSS has its words (CVSS 3.1 section 5): the middle of each range. Unknown is not harmless: it counts as medium.
double base_score(Severity severity) {
  switch (severity) {
    case Severity::none: return 0;
    case Severity::low: return 2;
    case Severity::medium:
    case Severity::unknown: return 5.5;
    case Severity::high: return 8;
    case Severity::critical: return 9.5;
  }
  return 5.5;
}

/// One factor; `value` is only asked for where it is told.
template <class Value>
Factor make_factor(const char* name, double points, double most, Detail detail, const Value& value) {
  return {name, detail == Detail::factors ? value() : std::string(), points, most};
}

Factor severity_factor(const Advisory& advisory, Detail detail) {
  const double base = advisory.cvss ? share_of(*advisory.cvss, 10) * 10 : base_score(advisory.severity);
  return make_factor("severity", base / 10 * most_severity, most_severity, detail, [&] {
    if (advisory.cvss) return fmt::format("CVSS {:.1f}", base);
    return std::string(to_string(advisory.severity)) + (advisory.severity == Severity::unknown ? ", counts as medium" : "");
  });
}

Factor exploited_factor(const Advisory& advisory, Detail detail) {
  const double points = !advisory.exploited ? 0 : advisory.ransomware ? most_exploited : exploited_points;
  return make_factor("exploited", points, most_exploited, detail, [&] {
    if (!advisory.exploited) return std::string("not known");
    std::string value = "known to be exploited";
    if (advisory.exploited_since) value += " since " + format_time(*advisory.exploited_since).substr(0, 10);
    return value + (advisory.ransomware ? ", by ransomware" : "");
  });
}

/// The root spreads a scale on which most vulnerabilities lie below 1 %.
Factor epss_factor(const Advisory& advisory, Detail detail) {
  const double probability = share_of(advisory.epss.value_or(0), 1);
  return make_factor("epss", std::sqrt(probability) * most_epss, most_epss, detail, [&] {
    return advisory.epss ? fmt::format("{:.2f} % in 30 days", probability * 100) : std::string("not known");
  });
}

template <std::size_t Count>
Factor word_factor(const char* name, const std::string& said, const std::array<Word, Count>& words, std::size_t usual, double most,
                   Detail detail) {
  const auto found = std::find_if(words.begin(), words.end(), [&](const Word& word) { return word.word == said; });
  const Word& counted = found != words.end() ? *found : words[usual];
  return make_factor(name, counted.points, most, detail, [&] {
    if (found != words.end()) return said;
    const std::string value = said.empty() ? "not said" : fmt::format("'{}' is not a known word", escape_untrusted(said));
    return fmt::format("{}, counts as {}", value, counted.word);
  });
}

Factor use_factor(const Surroundings& surroundings, Time now, Detail detail) {
  constexpr double half = most_use / 2;
  const double days = surroundings.last_start ? days_between(*surroundings.last_start, now) : 0;
  const double often = surroundings.starts_per_week ? half * share_of(*surroundings.starts_per_week, full_starts_per_week) : half / 2;
  const double recent = surroundings.last_start ? half * std::exp2(-days / half_life_days) : half / 2;
  return make_factor("use", often + recent, most_use, detail, [&] {
    return (surroundings.starts_per_week ? fmt::format("{:.1f} starts a week", std::max(0.0, *surroundings.starts_per_week))
                                         : std::string("starts not recorded, counts as half")) +
           (surroundings.last_start ? fmt::format(", last {:.0f} days ago", std::floor(days))
                                    : std::string(", last start not known, counts as half"));
  });
}

Factor days_open_factor(const Advisory& advisory, Time now, Detail detail) {
  const double days = advisory.published ? days_between(*advisory.published, now) : 0;
  const double points = advisory.published ? share_of(days, full_days_open) * most_days_open : most_days_open / 2;
  return make_factor("days open", points, most_days_open, detail, [&] {
    return advisory.published ? fmt::format("{:.0f} since publication", std::floor(days)) : std::string("not known, counts as half");
  });
}

double round_tenth(double value) { return std::round(value * 10) / 10; }

}  // namespace

Severity priority_level(double score) {
  if (score >= 70) return Severity::critical;
  if (score >= 45) return Severity::high;
  return score >= 30 ? Severity::medium : Severity::low;
}

Priority prioritise(const Finding& finding, const Surroundings& surroundings, Time now, Detail detail) {
  Priority priority;
  if (finding.status == Status::not_affected || !finding.advisory) return priority;
  const Advisory& advisory = *finding.advisory;
  std::array<Factor, 7> factors{severity_factor(advisory, detail),
                                exploited_factor(advisory, detail),
                                epss_factor(advisory, detail),
                                word_factor("criticality", surroundings.criticality, criticalities, 1, most_criticality, detail),
                                word_factor("exposure", surroundings.exposure, exposures, 1, most_exposure, detail),
                                use_factor(surroundings, now, detail),
                                days_open_factor(advisory, now, detail)};
  double sum = 0;
  for (const Factor& factor : factors) sum += factor.weight;
  priority.score = std::clamp(round_tenth(sum), 0.0, 100.0);
  priority.level = priority_level(priority.score);
  if (detail == Detail::factors) {
    priority.factors.assign(std::make_move_iterator(factors.begin()), std::make_move_iterator(factors.end()));
  }
  return priority;
}

Json to_json(const Priority& priority) {
  Json factors = Json::array();
  for (const Factor& factor : priority.factors) {
    factors.push_back({{"name", factor.name}, {"value", factor.value}, {"weight", round_tenth(factor.weight)}, {"most", factor.most}});
  }
  return {{"score", priority.score}, {"level", to_string(priority.level)}, {"factors", std::move(factors)}};
}

}  // namespace vmpatch::advisory
