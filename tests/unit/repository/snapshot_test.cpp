#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "suite_sample.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::repository {
namespace {

using test::sample_suite;

Result<Suite> through_text(const Suite& suite) {
  VMPATCH_TRY(const Json json, parse_json(dump_json(to_json(suite), 2), "suite"));
  return suite_from_json(json);
}

std::string refusal(const Json& json) {
  const auto suite = suite_from_json(json);
  if (suite) return "it was accepted";
  EXPECT_EQ(suite.error().code, Errc::failed);
  return suite.error().message;
}

Snapshot of(const std::vector<Suite>& suites) { return Snapshot{suites}; }

TEST(SuiteJson, everything_comes_back_through_text) {
  Suite suite = sample_suite();
  EXPECT_EQ(through_text(suite).value(), suite);
  suite.valid_until.reset();
  suite.pinned = true;
  suite.signers.clear();
  suite.indexes.clear();
  suite.components.clear();
  suite.origin = "\"\\ \u00E9\n\x01";
  EXPECT_EQ(through_text(suite).value(), suite);
}

TEST(SuiteJson, time_of_fetching_is_kept_in_seconds) {
  Suite suite = sample_suite();
  suite.fetched += std::chrono::nanoseconds(999'999'999);
  EXPECT_EQ(through_text(suite).value(), sample_suite());
}

TEST(SuiteJson, one_missing_or_added_member_is_failed) {
  const Json whole = to_json(sample_suite());
  for (const auto& [key, value] : whole.items()) {
    Json without = whole;
    without.erase(key);
    EXPECT_NE(refusal(without), "it was accepted") << key;
    Json other = whole;
    other[key] = Json::array({Json::array()});
    EXPECT_NE(refusal(other), "it was accepted") << key;
  }
  Json with = whole;
  with["more"] = 1;
  EXPECT_EQ(refusal(with), "it is no record of a suite of this version: it has other fields or values");
  for (const char* key : {"release", "signers", "indexes"}) {
    with = whole;
    Json& entry = key == std::string("signers") ? with[key][0] : key == std::string("indexes") ? with[key].front() : with[key];
    entry["more"] = 1;
    EXPECT_NE(refusal(with), "it was accepted") << key;
  }
}

TEST(SuiteJson, values_of_other_kinds_are_failed_not_converted) {
  const std::vector<std::pair<const char*, std::vector<Json>>> table{
      {"schema", {"vm-patch/suite/v2", 1}},
      {"date", {"2026-11-29", "2026-11-29T00:53:13+01:00", "yesterday", 1, nullptr, "2026-02-30T00:00:00Z"}},
      {"fetched", {"", nullptr}},
      {"valid_until", {"", "never", 0, false}},
      {"signed_file", {"", "ab", std::string(64, 'g'), std::string(64, 'A')}},
      {"security", {0, 1, "true", nullptr}},
      {"pinned", {0, "false", nullptr}},
      {"components", {"main", nullptr, Json::array({1}), Json::object({{"a", "b"}})}},
      {"indexes", {nullptr, Json::array(), "x"}},
      {"signers", {nullptr, "x", Json::array({"x"})}},
      {"uri", {nullptr, 1}},
  };
  for (const auto& [key, values] : table) {
    for (const Json& value : values) {
      Json json = to_json(sample_suite());
      json[key] = value;
      EXPECT_NE(refusal(json), "it was accepted") << key << " = " << value;
    }
  }
  for (const Json& size : {Json(-1), Json(1.5), Json("4"), Json(true), Json(nullptr), Json(4.0)}) {
    Json json = to_json(sample_suite());
    json["release"]["size"] = size;
    EXPECT_NE(refusal(json), "it was accepted") << size;
  }
  for (const Json& json : {Json(nullptr), Json::array(), Json(1), Json("x"), Json::object()}) EXPECT_NE(refusal(json), "it was accepted");
}

TEST(SnapshotDigest, does_not_change_with_the_time_of_fetching) {
  Suite later = sample_suite();
  later.fetched += std::chrono::hours(1);
  EXPECT_EQ(of({sample_suite()}).digest(), of({later}).digest());
  EXPECT_EQ(of({through_text(later).value()}).digest(), of({later}).digest());
}

TEST(SnapshotDigest, changes_with_anything_else) {
  const std::vector<std::function<void(Suite&)>> changes{
      [](Suite& one) { one.repository = "other"; },
      [](Suite& one) { one.uri = "http://example.org/debian/"; },
      [](Suite& one) { one.suite = "trixie"; },
      [](Suite& one) { one.components = {"contrib", "main"}; },
      [](Suite& one) { one.security = false; },
      [](Suite& one) { one.origin = ""; },
      [](Suite& one) { one.label = "Debian"; },
      [](Suite& one) { one.archive = "oldstable"; },
      [](Suite& one) { one.codename = "trixie"; },
      [](Suite& one) { one.version = "12.1"; },
      [](Suite& one) { one.date += Seconds(1); },
      [](Suite& one) { one.valid_until.reset(); },
      [](Suite& one) { one.valid_until = *one.valid_until + Seconds(1); },
      [](Suite& one) { one.pinned = true; },
      [](Suite& one) { one.signed_file = sha256("x"); },
      [](Suite& one) { one.release.sha256 = sha256("x"); },
      [](Suite& one) { one.release.size = 8; },
      [](Suite& one) { one.signers.pop_back(); },
      [](Suite& one) { std::swap(one.signers[0], one.signers[1]); },
      [](Suite& one) { one.signers[0].user = "C"; },
      [](Suite& one) { one.indexes.erase("main/binary-amd64/Packages"); },
      [](Suite& one) { one.indexes.at("main/binary-amd64/Packages").sha256 = sha256("x"); },
      [](Suite& one) { one.indexes.at("main/binary-amd64/Packages").compression = ".gz"; },
  };
  std::set<Digest> seen{of({sample_suite()}).digest(), of({}).digest(), of({sample_suite(), sample_suite()}).digest()};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Suite one = sample_suite();
    changes[i](one);
    EXPECT_TRUE(seen.insert(of({one}).digest()).second) << i;
  }
}

TEST(SnapshotDigest, changes_with_the_order_of_suites) {
  Suite other = sample_suite();
  other.suite = "bookworm-updates";
  EXPECT_NE(of({sample_suite(), other}).digest(), of({other, sample_suite()}).digest());
}

TEST(Snapshot, its_date_is_the_newest_and_it_expires_with_the_first_that_is_not_pinned) {
  EXPECT_EQ(of({}).date(), Time{});
  EXPECT_FALSE(of({}).expires());
  Suite older = sample_suite(), endless = sample_suite(), pinned = sample_suite();
  older.date -= Seconds(5);
  older.valid_until = *older.valid_until + Seconds(5);
  endless.valid_until.reset();
  pinned.valid_until = Time{};
  pinned.pinned = true;
  const Snapshot all = of({pinned, older, endless, sample_suite()});
  EXPECT_EQ(all.date(), sample_suite().date);
  EXPECT_EQ(all.expires(), sample_suite().valid_until);
  EXPECT_FALSE(of({pinned, endless}).expires());
}

}  // namespace
}  // namespace vmpatch::repository
