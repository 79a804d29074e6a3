#include "vmpatch/advisory/priority.hpp"

#include <algorithm>
#include <array>
#include <cmath>

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

Factor severity_factor(const Advisory& advisory) {
  const double base = advisory.cvss ? share_of(*advisory.cvss, 10) * 10 : base_score(advisory.severity);
  std::string value = advisory.cvss ? fmt::format("CVSS {:.1f}", base) : std::string(to_string(advisory.severity));
  if (!advisory.cvss && advisory.severity == Severity::unknown) value += ", counts as medium";
  return {"severity", std::move(value), base / 10 * most_severity, most_severity};
}

Factor exploited_factor(const Advisory& advisory) {
  if (!advisory.exploited) return {"exploited", "not known", 0, most_exploited};
  std::string value = "known to be exploited";
  if (advisory.exploited_since) value += " since " + format_time(*advisory.exploited_since).substr(0, 10);
  if (advisory.ransomware) value += ", by ransomware";
  return {"exploited", std::move(value), advisory.ransomware ? most_exploited : exploited_points, most_exploited};
}

/// The root spreads a scale on which most vulnerabilities lie below 1 %.
Factor epss_factor(const Advisory& advisory) {
  if (!advisory.epss) return {"epss", "not known", 0, most_epss};
  const double probability = share_of(*advisory.epss, 1);
  return {"epss", fmt::format("{:.2f} % in 30 days", probability * 100), std::sqrt(probability) * most_epss, most_epss};
}

template <std::size_t Count>
Factor word_factor(const char* name, const std::string& said, const std::array<Word, Count>& words, std::size_t usual, double most) {
  const auto found = std::find_if(words.begin(), words.end(), [&](const Word& word) { return word.word == said; });
  if (found != words.end()) return {name, said, found->points, most};
  const std::string value = said.empty() ? "not said" : fmt::format("'{}' is not a known word", escape_untrusted(said));
  return {name, fmt::format("{}, counts as {}", value, words[usual].word), words[usual].points, most};
}

Factor use_factor(const Surroundings& surroundings, Time now) {
  constexpr double half = most_use / 2;
  double points = 0;
  std::string value;
  if (surroundings.starts_per_week) {
    points += half * share_of(*surroundings.starts_per_week, full_starts_per_week);
    value = fmt::format("{:.1f} starts a week", std::max(0.0, *surroundings.starts_per_week));
  } else {
    points += half / 2;
    value = "starts not recorded, counts as half";
  }
  if (surroundings.last_start) {
    const double days = days_between(*surroundings.last_start, now);
    points += half * std::exp2(-days / half_life_days);
    value += fmt::format(", last {:.0f} days ago", std::floor(days));
  } else {
    points += half / 2;
    value += ", last start not known, counts as half";
  }
  return {"use", std::move(value), points, most_use};
}

Factor days_open_factor(const Advisory& advisory, Time now) {
  if (!advisory.published) return {"days open", "not known, counts as half", most_days_open / 2, most_days_open};
  const double days = days_between(*advisory.published, now);
  return {"days open", fmt::format("{:.0f} since publication", std::floor(days)), share_of(days, full_days_open) * most_days_open,
          most_days_open};
}

double round_tenth(double value) { return std::round(value * 10) / 10; }

}  // namespace

Severity priority_level(double score) {
  if (score >= 70) return Severity::critical;
  if (score >= 45) return Severity::high;
  return score >= 30 ? Severity::medium : Severity::low;
}

Priority prioritise(const Finding& finding, const Surroundings& surroundings, Time now) {
  Priority priority;
  if (finding.status == Status::not_affected || !finding.advisory) return priority;
  const Advisory& advisory = *finding.advisory;
  priority.factors = {severity_factor(advisory),
                      exploited_factor(advisory),
                      epss_factor(advisory),
                      word_factor("criticality", surroundings.criticality, criticalities, 1, most_criticality),
                      word_factor("exposure", surroundings.exposure, exposures, 1, most_exposure),
                      use_factor(surroundings, now),
                      days_open_factor(advisory, now)};
  double sum = 0;
  for (const Factor& factor : priority.factors) sum += factor.weight;
  priority.score = std::clamp(round_tenth(sum), 0.0, 100.0);
  priority.level = priority_level(priority.score);
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
