// Several copies of one record: the newest counts. And what comes before the vulnerability that it adds to.
#include <algorithm>

#include "unit/advisory/csaf_documents.hpp"
#include "unit/advisory/feeds.hpp"

namespace vmpatch::advisory::test {
namespace {

using Lines = std::vector<std::string>;

const guest::Facts openssl = debian12({package("openssl", "3.0.9-1")});
const std::string covering = osv("X-1", "Debian:12", "-", fixed_in("1"));

std::string copy_of(const std::string& modified, const std::string& package, const std::string& part, const std::string& rest = "") {
  return fmt::format(R"({{"id":"DSA-1-1","modified":"{}",{}"upstream":["CVE-2024-0002"],"affected":[{{"package":{{"ecosystem":"Debian:12","name":"{}"}},{}}}]}})",
                     modified, rest, package, part);
}

/// What is found with the feeds in this order, and in the other one.
std::pair<Lines, Lines> both_ways(const std::string& first, const std::string& second) {
  return {lines(findings({{FeedKind::osv, covering}, {FeedKind::automatic, first}, {FeedKind::automatic, second}}, openssl)),
          lines(findings({{FeedKind::osv, covering}, {FeedKind::automatic, second}, {FeedKind::automatic, first}}, openssl))};
}

TEST(Copies, NewestOfARecordReplacesTheOthersInAnyOrder) {
  const std::string older = copy_of("2026-01-01T00:00:00Z", "openssl", fixed_in("9"));
  const std::string withdrawn = copy_of("2026-02-02T00:00:00Z", "openssl", fixed_in("9"), R"("withdrawn":"2026-02-02T00:00:00Z",)");
  const Lines gone{"CVE-2024-0002 openssl 3.0.9-1 not_affected -"};
  EXPECT_EQ(both_ways(older, withdrawn), std::pair(gone, gone));
  const std::string mended = copy_of("2026-02-02T00:00:00Z", "openssl", fixed_in("3.0.10-1"));
  const Lines lower{"CVE-2024-0002 openssl 3.0.9-1 affected_fixed 3.0.10-1"};
  EXPECT_EQ(both_ways(older, mended), std::pair(lower, lower));
  // In one file.
  EXPECT_EQ(lines(findings({{FeedKind::osv, "[" + withdrawn + "," + older + "]"}}, openssl)), gone);
}

TEST(Copies, NewerOneThatNoLongerNamesThePackageReplacesOlderOnesInAnyOrder) {
  const std::string older = copy_of("2026-01-01T00:00:00Z", "openssl", fixed_in("9"));
  const std::string newer = copy_of("2026-02-02T00:00:00Z", "nginx", fixed_in("9"));
  EXPECT_EQ(both_ways(older, newer), std::pair(Lines{}, Lines{}));
  // What is older is not.
  const std::string newest = copy_of("2026-03-03T00:00:00Z", "openssl", fixed_in("9"));
  const Lines open{"CVE-2024-0002 openssl 3.0.9-1 affected_fixed 9"};
  EXPECT_EQ(both_ways(newest, newer), std::pair(open, open));
  // Nor is what has the id of something in it.
  const std::string other = R"({"modified":"2026-04-04T00:00:00Z","affected":[{"package":{"ecosystem":"Debian:12","name":"nginx"},"x":{"id":"DSA-1-1"}}],"id":"DSA-2-1"})";
  EXPECT_EQ(both_ways(newest, other), std::pair(open, open));
}

TEST(Copies, OfOneAgeOrOfNoneStandSideBySide) {
  const std::string one = copy_of("2026-01-01T00:00:00Z", "openssl", fixed_in("3.0.10-1"));
  const std::string other = copy_of("2026-01-01T00:00:00Z", "openssl", fixed_in("3.0.12-1"));
  const Lines higher{"CVE-2024-0002 openssl 3.0.9-1 affected_fixed 3.0.12-1"};
  EXPECT_EQ(both_ways(one, other), std::pair(higher, higher));
  EXPECT_EQ(both_ways(copy_of("", "openssl", fixed_in("3.0.10-1")), other), std::pair(higher, higher));
}

TEST(Copies, TwoRecordsAreNotCopiesOfEachOther) {
  const std::string one = osv("DSA-1-1", "Debian:12", "openssl", fixed_in("3.0.12-1"), R"("upstream":["CVE-2024-0002"])");
  const std::string other = R"({"id":"DSA-1-2","modified":"2026-12-01T00:00:00Z","upstream":["CVE-2024-0002"],"affected":[)"
                            R"({"package":{"ecosystem":"Debian:12","name":"openssl"},)" + fixed_in("3.0.10-1") + "}]}";
  const Lines higher{"CVE-2024-0002 openssl 3.0.9-1 affected_fixed 3.0.12-1"};
  EXPECT_EQ(both_ways(one, other), std::pair(higher, higher));
}

TEST(Copies, RecordsWithTheNameOfACveAreOfTheirDatabase) {
  const auto record = [](const char* modified, const char* package) {
    return fmt::format(R"({{"id":"CVE-2024-0002","modified":"{}","affected":[{{"package":{},{}}}]}})", modified, package, fixed_in("9"));
  };
  const std::string debian = record("2026-01-01T00:00:00Z", R"({"ecosystem":"Debian:12","name":"openssl"})");
  const Lines found{"CVE-2024-0002 openssl 3.0.9-1 affected_fixed 9"};
  for (const char* package : {R"({"ecosystem":"Alpine:v3.18","name":"openssl"})", R"({"ecosystem":"PyPI","name":"openssl"})"}) {
    EXPECT_EQ(both_ways(debian, record("2026-02-01T00:00:00Z", package)), std::pair(found, found)) << package;
  }
}

Document vex(const std::string& status, const Json& tracking) {
  Document document({leaf("p", "pkg:deb/debian/openssl?distro=debian-12")}, {}, status, {"p"});
  document.tracking = tracking;
  document.tracking["id"] = "VEX-1";
  return document;
}

TEST(Copies, LaterDocumentReplacesTheOthersInAnyOrder) {
  const Lines clean{"CVE-2022-36760 openssl 3.0.9-1 not_affected -"};
  const Lines open{"CVE-2022-36760 openssl 3.0.9-1 affected_unfixed -"};
  const std::string first = vex("known_affected", {{"version", "1"}, {"current_release_date", "2026-01-01T00:00:00Z"}}).text();
  EXPECT_EQ(both_ways(first, vex("known_not_affected", {{"version", "2"}, {"current_release_date", "2026-02-01T00:00:00Z"}}).text()), std::pair(clean, clean));
  EXPECT_EQ(both_ways(first, vex("known_not_affected", {{"version", "10"}, {"current_release_date", "2026-01-01T00:00:00Z"}}).text()), std::pair(clean, clean));
  const std::string ninth = vex("known_affected", {{"version", "1.9.0"}}).text();
  EXPECT_EQ(both_ways(ninth, vex("known_not_affected", {{"version", "1.10.0"}}).text()), std::pair(clean, clean));
  EXPECT_EQ(both_ways(ninth, vex("known_not_affected", {{"version", "1.9.0"}}).text()), std::pair(open, open));
}

TEST(Copies, DocumentsOfTwoPublishersAreTwo) {
  const auto of = [](const std::string& publisher, const std::string& status, const std::string& date) {
    Json json = Json::parse(vex(status, {{"version", "1"}, {"current_release_date", date}}).text());
    json["document"]["publisher"] = {{"category", "vendor"}, {"name", publisher}, {"namespace", "https://" + publisher + ".example"}};
    return dump_json(json);
  };
  const Lines open{"CVE-2022-36760 openssl 3.0.9-1 affected_unfixed -"};
  EXPECT_EQ(both_ways(of("one", "known_affected", "2026-01-01T00:00:00Z"), of("other", "known_not_affected", "2026-02-01T00:00:00Z")), std::pair(open, open));
}

TEST(Copies, ManyAreReplacedQuickly) {
  const auto feed = [](const char* day) {
    std::string text = "[";
    for (int i = 0; i < 20'000; ++i) {
      text += fmt::format(R"({}{{"id":"DSA-{}-1","modified":"2026-01-{}T00:00:00Z","affected":[{{"package":{{"ecosystem":"Debian:12","name":"openssl"}},{}}}]}})",
                          i > 0 ? "," : "", i, day, fixed_in("1"));
    }
    return text + "]";
  };
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(findings({{FeedKind::osv, feed("01")}, {FeedKind::osv, feed("02")}, {FeedKind::osv, feed("01")}}, openssl).size(), 20'000U);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(Exploited, CatalogueMayComeBeforeTheVulnerability) {
  const std::string catalogue = R"({"catalogVersion":"1","vulnerabilities":[{"cveID":"CVE-2024-0002","dateAdded":"2024-01-01","knownRansomwareCampaignUse":"Known"}]})";
  const vmpatch::test::Scratch scratch;
  for (const char* name : {"a-kev.json", "z-kev.json"}) {
    const fs::path folder = scratch / name;
    ASSERT_TRUE(make_dirs(folder).has_value());
    ASSERT_TRUE(write_file_atomic(folder / name, catalogue).has_value());
    ASSERT_TRUE(write_file_atomic(folder / "osv.json", copy_of("2026-01-01T00:00:00Z", "openssl", fixed_in("9"))).has_value());
    Interest interest;
    interest.add(openssl);
    Database loaded(std::move(interest));
    ASSERT_TRUE(loaded.load({FeedKind::automatic, "folder", folder, {}}).has_value());
    const auto advisory = loaded.find("CVE-2024-0002");
    ASSERT_NE(advisory, nullptr);
    EXPECT_TRUE(advisory->exploited) << name;
    EXPECT_TRUE(advisory->ransomware) << name;
    EXPECT_EQ(format_time(advisory->exploited_since.value()), "2024-01-01T00:00:00Z") << name;
  }
}

}  // namespace
}  // namespace vmpatch::advisory::test
