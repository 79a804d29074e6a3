#include "vmpatch/advisory/priority.hpp"

#include "vmpatch/core/json.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <random>

namespace vmpatch::advisory {
namespace {

using std::chrono::hours;

const Time now = parse_time("2026-11-01").value();

Time days_ago(double days) { return now - std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(days * 86400)); }

struct Case {
  Advisory advisory;
  Surroundings surroundings;
  Status status = Status::affected_fixed;
};

Priority priority_of(const Case& c) {
  Finding finding;
  finding.advisory = std::make_shared<const Advisory>(c.advisory);
  finding.status = c.status;
  return prioritise(finding, c.surroundings, now);
}

/// Any case at all, drawn from a fixed seed.
class Cases {
 public:
  Case next() {
    Case c;
    c.advisory.severity = static_cast<Severity>(pick(6));
    if (flip()) c.advisory.cvss = share() * 10;
    if (flip()) c.advisory.published = days_ago(share() * 4000 - 10);
    c.advisory.exploited = flip();
    if (flip()) c.advisory.exploited_since = days_ago(share() * 1000);
    c.advisory.ransomware = c.advisory.exploited && flip();
    if (flip()) c.advisory.epss = share();
    static const std::vector<std::string> criticalities{"", "low", "medium", "high", "critical", "odd"};
    static const std::vector<std::string> exposures{"", "none", "internal", "internet", "odd"};
    c.surroundings.criticality = criticalities[pick(criticalities.size())];
    c.surroundings.exposure = exposures[pick(exposures.size())];
    if (flip()) c.surroundings.last_start = days_ago(share() * 2000 - 5);
    if (flip()) c.surroundings.starts_per_week = share() * 30;
    c.status = static_cast<Status>(pick(3));
    return c;
  }
  double share() { return std::uniform_real_distribution<double>(0, 1)(random_); }

 private:
  std::size_t pick(std::size_t count) { return std::uniform_int_distribution<std::size_t>(0, count - 1)(random_); }
  bool flip() { return pick(2) == 1; }
  std::mt19937 random_{20261101};
};

TEST(Priority, AnyCaseLiesBetween0And100AndIsTheSumOfItsFactors) {
  Cases cases;
  for (int i = 0; i < 20'000; ++i) {
    const Priority priority = priority_of(cases.next());
    double sum = 0;
    double most = 0;
    for (const Factor& factor : priority.factors) {
      EXPECT_GE(factor.weight, 0) << factor.name;
      EXPECT_LE(factor.weight, factor.most) << factor.name;
      EXPECT_FALSE(factor.value.empty()) << factor.name;
      sum += factor.weight;
      most += factor.most;
    }
    ASSERT_EQ(priority.factors.size(), 7U);
    EXPECT_DOUBLE_EQ(most, 100);
    EXPECT_NEAR(priority.score, sum, 0.051);
    EXPECT_GE(priority.score, 0);
    EXPECT_LE(priority.score, 100);
    EXPECT_EQ(priority.level, priority_level(priority.score));
  }
}

struct Rise {
  const char* name;
  std::function<void(Case&, double)> set;  ///< 0–1, rising
};

TEST(Priority, NeverFallsWhenOneFactorRises) {
  const std::vector<Rise> rises{
      {"cvss", [](Case& c, double x) { c.advisory.cvss = x * 10; }},
      {"severity", [](Case& c, double x) {
         c.advisory.cvss.reset();
         c.advisory.severity = static_cast<Severity>(1 + std::min(4, static_cast<int>(x * 5)));
       }},
      {"exploited", [](Case& c, double x) {
         c.advisory.exploited = x > 0.3;
         c.advisory.ransomware = x > 0.6;
       }},
      {"epss", [](Case& c, double x) { c.advisory.epss = x; }},
      {"criticality", [](Case& c, double x) {
         c.surroundings.criticality = std::vector<std::string>{"low", "medium", "high", "critical"}[std::min<std::size_t>(3, static_cast<std::size_t>(x * 4))];
       }},
      {"exposure", [](Case& c, double x) {
         c.surroundings.exposure = std::vector<std::string>{"none", "internal", "internet"}[std::min<std::size_t>(2, static_cast<std::size_t>(x * 3))];
       }},
      {"starts", [](Case& c, double x) { c.surroundings.starts_per_week = x * 20; }},
      {"last start", [](Case& c, double x) { c.surroundings.last_start = days_ago(1000 * (1 - x)); }},
      {"days open", [](Case& c, double x) { c.advisory.published = days_ago(200 * x); }},
  };
  Cases cases;
  for (const Rise& rise : rises) {
    bool rose = false;
    for (int i = 0; i < 3000; ++i) {
      Case c = cases.next();
      const double a = cases.share();
      const double b = cases.share();
      rise.set(c, std::min(a, b));
      const double low = priority_of(c).score;
      rise.set(c, std::max(a, b));
      const double high = priority_of(c).score;
      ASSERT_LE(low, high) << rise.name;
      rose = rose || low < high;
    }
    EXPECT_TRUE(rose) << rise.name << " counts for nothing";
  }
}

TEST(Priority, TheScoreAloneIsTheSame) {
  Cases cases;
  for (int i = 0; i < 1000; ++i) {
    const Case c = cases.next();
    Finding finding;
    finding.advisory = std::make_shared<const Advisory>(c.advisory);
    const Priority alone = prioritise(finding, c.surroundings, now, Detail::score);
    EXPECT_EQ(alone.score, priority_of(c).score);
    EXPECT_EQ(alone.level, priority_of(c).level);
    EXPECT_TRUE(alone.factors.empty());
  }
}

TEST(Priority, WorstAndLeastOfAll) {
  Case worst;
  worst.advisory.cvss = 10;
  worst.advisory.exploited = worst.advisory.ransomware = true;
  worst.advisory.epss = 1;
  worst.advisory.published = days_ago(1000);
  worst.surroundings = {"critical", "internet", now, 7};
  EXPECT_DOUBLE_EQ(priority_of(worst).score, 100);
  EXPECT_EQ(priority_of(worst).level, Severity::critical);
  Case least;
  least.advisory.cvss = 0;
  least.advisory.epss = 0;
  least.advisory.published = now;
  least.surroundings = {"low", "none", days_ago(100'000), 0};
  EXPECT_DOUBLE_EQ(priority_of(least).score, 0);
  EXPECT_EQ(priority_of(least).level, Severity::low);
}

TEST(Priority, WhatIsNotAffectedHasNone) {
  Case c;
  c.advisory.cvss = 10;
  c.advisory.exploited = true;
  c.status = Status::not_affected;
  EXPECT_EQ(priority_of(c).score, 0);
  EXPECT_EQ(priority_of(c).level, Severity::none);
  EXPECT_TRUE(priority_of(c).factors.empty());
}

TEST(Priority, UnknownSeverityCountsAsMediumAndSaysSo) {
  Case unknown;
  Case medium;
  medium.advisory.severity = Severity::medium;
  EXPECT_EQ(priority_of(unknown).score, priority_of(medium).score);
  EXPECT_EQ(priority_of(unknown).factors[0].value, "unknown, counts as medium");
}

TEST(Priority, NumbersOfAFeedThatAreNoNumbersCountAsZero) {
  Case c;
  c.advisory.cvss = std::numeric_limits<double>::quiet_NaN();
  c.advisory.epss = std::numeric_limits<double>::infinity();
  const Priority priority = priority_of(c);
  EXPECT_EQ(priority.factors[0].weight, 0);
  EXPECT_EQ(priority.factors[2].weight, 10);
}

TEST(Priority, AWordOfTheMetadataThatIsNotKnownIsEscapedAndCountsAsUsual) {
  Case odd;
  odd.surroundings.criticality = "\x1b[31mhigh";
  EXPECT_EQ(priority_of(odd).score, priority_of(Case{}).score);
  EXPECT_EQ(priority_of(odd).factors[3].value, "'\\x1B[31mhigh' is not a known word, counts as medium");
}

TEST(Priority, JsonHasEveryFactorWithItsWeight) {
  Case c;
  c.advisory.cvss = 9.8;
  const Json json = to_json(priority_of(c));
  EXPECT_EQ(json["level"], "high");
  ASSERT_EQ(json["factors"].size(), 7U);
  EXPECT_EQ(dump_json(json["factors"][0]), R"({"name":"severity","value":"CVSS 9.8","weight":39.2,"most":40.0})");
}

}  // namespace
}  // namespace vmpatch::advisory
