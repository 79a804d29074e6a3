#include "advisory/cvss4.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace vmpatch::advisory {
namespace {

using Metrics = std::map<std::string_view, std::string_view>;

// Scores of the macrovectors that base metrics can have (EQ5 and the requirements at their worst): EQ1, EQ2, then EQ3 with EQ6 as
// 00, 01, 10, 11, 21, then EQ4 1 and 2.
constexpr double scores[3][2][5][2] = {
    {{{10.0, 9.3}, {9.6, 9.0}, {9.3, 8.8}, {9.2, 8.0}, {7.9, 6.9}},
     {{9.5, 9.2}, {9.1, 8.1}, {9.2, 8.4}, {8.2, 7.0}, {7.1, 6.3}}},
    {{{9.4, 8.7}, {8.9, 7.5}, {8.6, 7.2}, {7.6, 5.7}, {6.5, 5.3}},
     {{9.0, 7.7}, {7.7, 6.6}, {7.4, 6.1}, {5.9, 5.2}, {5.8, 2.3}}},
    {{{8.6, 7.0}, {7.4, 5.4}, {7.2, 5.3}, {5.7, 3.6}, {4.7, 2.4}},
     {{7.3, 5.4}, {5.5, 4.3}, {6.1, 4.6}, {5.1, 1.8}, {2.4, 1.0}}}};
enum Impacts : int { impacts_00, impacts_01, impacts_10, impacts_11, impacts_21 };

/// Steps below the most severe value of each metric.
struct Steps {
  bool complete = true;
  std::array<int, 3> eq1{};         ///< AV, PR, UI
  std::array<int, 2> eq2{};         ///< AC, AT
  std::array<int, 3> vulnerable{};  ///< VC, VI, VA
  std::array<int, 3> subsequent{};  ///< SC, SI, SA
};

int step(const Metrics& metrics, std::string_view name, std::string_view values, Steps& steps) {
  const auto found = metrics.find(name);
  const auto at = found == metrics.end() || found->second.size() != 1 ? std::string_view::npos : values.find(found->second);
  if (at == std::string_view::npos) {
    steps.complete = false;
    return 0;
  }
  return static_cast<int>(at);
}

Steps read_steps(const Metrics& metrics) {
  Steps steps;
  steps.eq1 = {step(metrics, "AV", "NALP", steps), step(metrics, "PR", "NLH", steps), step(metrics, "UI", "NPA", steps)};
  steps.eq2 = {step(metrics, "AC", "LH", steps), step(metrics, "AT", "NP", steps)};
  steps.vulnerable = {step(metrics, "VC", "HLN", steps), step(metrics, "VI", "HLN", steps), step(metrics, "VA", "HLN", steps)};
  steps.subsequent = {step(metrics, "SC", "HLN", steps), step(metrics, "SI", "HLN", steps), step(metrics, "SA", "HLN", steps)};
  return steps;
}

/// Steps below the first of the most severe vectors of a level that is not less severe in any metric.
template <std::size_t size>
int distance(const std::array<int, size>& steps, const std::vector<std::array<int, size>>& most_severe) {
  for (const auto& from : most_severe) {
    int sum = 0;
    bool below = true;
    for (std::size_t i = 0; i < size; ++i) {
      below = below && steps[i] >= from[i];
      sum += steps[i] - from[i];
    }
    if (below) return sum;
  }
  return 0;
}

int level_1(const Steps& s) {
  if (s.eq1 == std::array{0, 0, 0}) return 0;
  const bool one = s.eq1[0] == 0 || s.eq1[1] == 0 || s.eq1[2] == 0;
  return one && s.eq1[0] != 3 ? 1 : 2;
}

int level_3(const Steps& s) {
  if (s.vulnerable[0] == 0 && s.vulnerable[1] == 0) return impacts_00;
  const bool high = std::find(s.vulnerable.begin(), s.vulnerable.end(), 0) != s.vulnerable.end();
  return high ? impacts_10 : impacts_21;
}

int level_4(const Steps& s) { return std::find(s.subsequent.begin(), s.subsequent.end(), 0) != s.subsequent.end() ? 0 : 1; }

}  // namespace

std::optional<double> base_score_4(const Metrics& metrics) {
  const Steps s = read_steps(metrics);
  if (!s.complete) return std::nullopt;
  const std::array none{2, 2, 2};
  if (s.vulnerable == none && s.subsequent == none) return 0.0;
  const int e1 = level_1(s);
  const int e2 = s.eq2 == std::array{0, 0} ? 0 : 1;
  const int e3 = level_3(s);
  const int e4 = level_4(s);
  const double value = scores[e1][e2][e3][e4];

  double sum = 0;
  int lower = 1;  // of EQ5, which base metrics are always at the top of
  const auto add = [&](double next, int steps_below, int depth) {
    sum += (value - next) * steps_below / depth;
    ++lower;
  };
  static const std::vector<std::array<int, 3>> most_1[3] = {{{0, 0, 0}}, {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, {{3, 0, 0}, {1, 1, 1}}};
  static const std::vector<std::array<int, 2>> most_2[2] = {{{0, 0}}, {{1, 0}, {0, 1}}};
  constexpr int depth_1[3] = {1, 4, 5};
  constexpr int depth_2[2] = {1, 2};
  if (e1 < 2) add(scores[e1 + 1][e2][e3][e4], distance(s.eq1, most_1[e1]), depth_1[e1]);
  if (e2 < 1) add(scores[e1][e2 + 1][e3][e4], distance(s.eq2, most_2[e2]), depth_2[e2]);
  if (e3 == impacts_00) {
    add(std::max(scores[e1][e2][impacts_01][e4], scores[e1][e2][impacts_10][e4]), distance(s.vulnerable, {{0, 0, 0}}), 7);
  } else if (e3 == impacts_10) {
    add(scores[e1][e2][impacts_11][e4], distance(s.vulnerable, {{1, 0, 0}, {0, 1, 0}}), 8);
  }
  // SI and SA have a value above "high" that only environmental metrics reach.
  if (e4 == 0) add(scores[e1][e2][e3][1], distance(s.subsequent, {{0, 0, 0}}), 5);
  constexpr double epsilon = 1e-6;  // what floating point takes away from a half
  return std::round((value - sum / lower + epsilon) * 10) / 10;
}

}  // namespace vmpatch::advisory
