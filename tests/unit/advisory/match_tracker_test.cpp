// What Debian's security tracker says of an installed version.
#include "unit/advisory/feeds.hpp"

namespace vmpatch::advisory::test {
namespace {

struct Case {
  std::string name;
  std::string release;  ///< the object of "bookworm"
  std::string installed;
  std::string status;
  std::string fixed;
  std::string reason;
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

class TrackerMatch : public testing::TestWithParam<Case> {};

TEST_P(TrackerMatch, FindsWhatTheTrackerSays) {
  const Case& one = GetParam();
  const auto found = findings({{FeedKind::automatic, tracker("openssl", "CVE-2023-5363", "bookworm", one.release)}},
                              debian12({package("libssl3", one.installed, "openssl")}));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(status_word(found[0].status), one.status);
  EXPECT_EQ(found[0].fixed, one.fixed);
  EXPECT_EQ(found[0].reason, one.reason);
  EXPECT_EQ(found[0].sources, std::vector<std::string>{"debian-tracker:CVE-2023-5363"});
}

const std::vector<Case> cases{
    {"resolved_and_older", R"({"status":"resolved","fixed_version":"3.0.11-1~deb12u2","urgency":"not yet assigned"})", "3.0.11-1~deb12u1",
     "affected_fixed", "3.0.11-1~deb12u2", "3.0.11-1~deb12u1 is lower than 3.0.11-1~deb12u2"},
    {"resolved_and_fixed", R"({"status":"resolved","fixed_version":"3.0.11-1~deb12u2","urgency":"high"})", "3.0.11-1~deb12u2", "not_affected", "",
     "fixed since 3.0.11-1~deb12u2"},
    {"never_affected", R"({"status":"resolved","fixed_version":"0","urgency":"unimportant"})", "3.0.9-1", "not_affected", "",
     "this release was never affected"},
    {"resolved_without_a_version", R"({"status":"resolved","urgency":"low"})", "3.0.9-1", "under_investigation", "",
     "resolved, but Debian's tracker names no fixed version"},
    {"open", R"({"status":"open","urgency":"not yet assigned"})", "3.0.9-1", "affected_unfixed", "", "no fixed version yet"},
    {"open_without_advisory", R"({"status":"open","urgency":"low","nodsa":"Minor issue","nodsa_reason":""})", "3.0.9-1", "affected_unfixed", "",
     "no advisory: Minor issue"},
    {"postponed", R"({"status":"open","urgency":"low","nodsa":"Minor issue","nodsa_reason":"postponed"})", "3.0.9-1", "affected_unfixed", "",
     "postponed: Minor issue"},
    {"ignored", R"({"status":"open","urgency":"low","nodsa":"Intrusive","nodsa_reason":"ignored"})", "3.0.9-1", "affected_unfixed", "",
     "ignored: Intrusive"},
    {"unimportant", R"({"status":"open","urgency":"unimportant"})", "3.0.9-1", "affected_unfixed", "", "unimportant"},
    {"unimportant_but_fixed_later", R"({"status":"resolved","fixed_version":"3.0.12-1","urgency":"unimportant"})", "3.0.9-1", "affected_fixed",
     "3.0.12-1", "3.0.9-1 is lower than 3.0.12-1; unimportant"},
    {"end_of_life", R"({"status":"open","urgency":"end-of-life"})", "3.0.9-1", "affected_unfixed", "",
     "end-of-life: no longer supported in this release"},
    {"undetermined", R"({"status":"undetermined","urgency":"not yet assigned"})", "3.0.9-1", "under_investigation", "",
     "undetermined in Debian's tracker"},
    {"a_status_that_nobody_knows", R"({"status":"pending"})", "3.0.9-1", "under_investigation", "", "the tracker's status is not understood"},
};

INSTANTIATE_TEST_SUITE_P(All, TrackerMatch, testing::ValuesIn(cases), [](const auto& row) { return row.param.name; });

TEST(Tracker, FixInDevelopmentCountsForABackport) {
  const std::string feed = R"({"openssl":{"CVE-2023-5363":{"releases":{"bookworm":{"status":"open"},"sid":{"status":"resolved","fixed_version":"3.1.4-1"}}}}})";
  const auto newer = findings({{FeedKind::debian_tracker, feed}}, debian12({package("libssl3", "3.1.4-2~bpo12+1", "openssl")}));
  EXPECT_EQ(lines(newer), std::vector<std::string>{"CVE-2023-5363 openssl 3.1.4-2~bpo12+1 not_affected -"});
  const auto older = findings({{FeedKind::debian_tracker, feed}}, debian12({package("libssl3", "3.0.9-1", "openssl")}));
  // That version is not one of this release.
  EXPECT_EQ(lines(older), std::vector<std::string>{"CVE-2023-5363 openssl 3.0.9-1 affected_unfixed -"});
}

/// linux in bookworm and in newer releases, as the tracker has them: `releases` is the object of that name.
std::vector<std::string> kernel(const std::string& releases, const std::string& installed) {
  return lines(findings({{FeedKind::debian_tracker, R"({"linux":{"CVE-2024-50264":{"releases":)" + releases + "}}}"}},
                        debian12({package("linux-image", installed, "linux")})));
}

std::string resolved(const std::string& codename, const std::string& has, const std::string& fixed) {
  return fmt::format(R"("{}":{{"status":"resolved","repositories":{{"{}":"{}"}},"fixed_version":"{}"}})", codename, codename, has, fixed);
}

TEST(Tracker, PackageOfANewerReleaseIsJudgedByThat) {
  const std::string fixed = "{" + resolved("bookworm", "6.1.119-1", "6.1.119-1") + "," + resolved("sid", "6.12.3-1", "6.11.7-1") + "}";
  EXPECT_EQ(kernel(fixed, "6.11.5-1~bpo12+1"), std::vector<std::string>{"CVE-2024-50264 linux 6.11.5-1~bpo12+1 affected_fixed 6.11.7-1"});
  EXPECT_EQ(kernel(fixed, "6.11.7-1~bpo12+1"), std::vector<std::string>{"CVE-2024-50264 linux 6.11.7-1~bpo12+1 not_affected -"});
  EXPECT_EQ(kernel(fixed, "6.11.5-1"), std::vector<std::string>{"CVE-2024-50264 linux 6.11.5-1 affected_fixed 6.11.7-1"});
  const std::string never = "{" + resolved("bookworm", "6.1.119-1", "0") + "," + resolved("sid", "6.12.3-1", "6.12.3-1") + "}";
  EXPECT_EQ(kernel(never, "6.11.5-1~bpo12+1"), std::vector<std::string>{"CVE-2024-50264 linux 6.11.5-1~bpo12+1 affected_fixed 6.12.3-1"});
  EXPECT_EQ(kernel(never, "6.1.112-1"), std::vector<std::string>{"CVE-2024-50264 linux 6.1.112-1 not_affected -"});
  const std::string open = R"({)" + resolved("bookworm", "6.1.119-1", "6.1.119-1") + R"(,"sid":{"status":"open","repositories":{"sid":"6.12.3-1"}}})";
  EXPECT_EQ(kernel(open, "6.11.5-1~bpo12+1"), std::vector<std::string>{"CVE-2024-50264 linux 6.11.5-1~bpo12+1 affected_unfixed -"});
}

TEST(Tracker, PackageOfANewerReleaseIsJudgedByTheLowestThatHasIt) {
  const std::string releases = "{" + resolved("bookworm", "6.1.119-1", "6.1.119-1") + "," + resolved("sid", "6.16.3-1", "6.13.2-1") + "," +
                               resolved("trixie", "6.12.38-1", "6.12.12-1") + "}";
  EXPECT_EQ(kernel(releases, "6.12.12-1~bpo12+1"), std::vector<std::string>{"CVE-2024-50264 linux 6.12.12-1~bpo12+1 not_affected -"});
  EXPECT_EQ(kernel(releases, "6.12.9-1~bpo12+1"), std::vector<std::string>{"CVE-2024-50264 linux 6.12.9-1~bpo12+1 affected_fixed 6.12.12-1"});
  EXPECT_EQ(kernel(releases, "6.13.1-1~bpo12+1"), std::vector<std::string>{"CVE-2024-50264 linux 6.13.1-1~bpo12+1 affected_fixed 6.13.2-1"});
}

TEST(Tracker, UpdateThatTheFeedDoesNotKnowYetIsOfTheOwnRelease) {
  const std::string releases = R"({"bookworm":{"status":"resolved","repositories":{"bookworm":"6.1.115-1","bookworm-security":"6.1.119-1"},)"
                               R"("fixed_version":"6.1.119-1"},)" + resolved("sid", "6.12.3-1", "6.11.7-1") + "}";
  EXPECT_EQ(kernel(releases, "6.1.119-1"), std::vector<std::string>{"CVE-2024-50264 linux 6.1.119-1 not_affected -"});
  EXPECT_EQ(kernel(releases, "6.1.124-1"), std::vector<std::string>{"CVE-2024-50264 linux 6.1.124-1 not_affected -"});
  EXPECT_EQ(kernel(releases, "6.1.119-1+local1"), std::vector<std::string>{"CVE-2024-50264 linux 6.1.119-1+local1 not_affected -"});
  EXPECT_EQ(kernel(releases, "6.5.3-1+deb12u1"), std::vector<std::string>{"CVE-2024-50264 linux 6.5.3-1+deb12u1 not_affected -"});
  const std::string short_version = "{" + resolved("bookworm", "7-2", "7-2") + "," + resolved("sid", "9-1", "8-1") + "}";
  EXPECT_EQ(kernel(short_version, "7-2.1"), std::vector<std::string>{"CVE-2024-50264 linux 7-2.1 not_affected -"});
  EXPECT_EQ(kernel(short_version, "7.5-1"), std::vector<std::string>{"CVE-2024-50264 linux 7.5-1 affected_fixed 8-1"});
  EXPECT_EQ(kernel("{" + resolved("bookworm", "6.1.119-1", "6.1.119-1") + "}", "6.5.3-1"),
            std::vector<std::string>{"CVE-2024-50264 linux 6.5.3-1 not_affected -"});
}

TEST(Tracker, ReleaseIsTheMachinesOwn) {
  const std::string feed = tracker("openssl", "CVE-2023-5363", "bullseye", R"({"status":"open"})");
  const std::string both = R"({"openssl":{"CVE-2023-5363":{"releases":{"bullseye":{"status":"open"},"bookworm":{"status":"resolved","fixed_version":"0"}}}}})";
  EXPECT_EQ(lines(findings({{FeedKind::debian_tracker, both}}, debian12({package("openssl", "3.0.9-1")}))),
            std::vector<std::string>{"CVE-2023-5363 openssl 3.0.9-1 not_affected -"});
  const auto facts = debian12({package("openssl", "3.0.9-1")});
  const auto uncovered = database({{FeedKind::debian_tracker, feed}}, facts).match(facts);
  ASSERT_FALSE(uncovered.has_value());
  EXPECT_EQ(uncovered.error().code, Errc::unsupported);
}

TEST(Tracker, MachineWithoutAReleaseIsSid) {
  const std::string feed = tracker("openssl", "CVE-2023-5363", "sid", R"({"status":"open"})");
  EXPECT_EQ(findings({{FeedKind::debian_tracker, feed}}, machine("debian", "", {package("openssl", "3.0.9-1")})).size(), 1U);
  auto testing_machine = machine("debian", "", {package("openssl", "3.0.9-1")});
  testing_machine.os.codename = "forky";
  const std::string forky = tracker("openssl", "CVE-2023-5363", "forky", R"({"status":"open"})");
  EXPECT_EQ(findings({{FeedKind::debian_tracker, forky}}, testing_machine).size(), 1U);
}

TEST(Tracker, TemporaryIdsAreFindingsToo) {
  const auto found = findings({{FeedKind::automatic, tracker("openssl", "TEMP-0000000-B1A2C3", "bookworm", R"({"status":"open"})")}},
                              debian12({package("openssl", "3.0.9-1")}));
  EXPECT_EQ(lines(found), std::vector<std::string>{"TEMP-0000000-B1A2C3 openssl 3.0.9-1 affected_unfixed -"});
}

TEST(Tracker, UrgencyRatesUnlessACvssDoes) {
  const auto facts = debian12({package("openssl", "3.0.9-1")});
  const std::string feed = tracker("openssl", "CVE-2023-5363", "bookworm", R"({"status":"open","urgency":"medium**"})");
  const auto alone = findings({{FeedKind::debian_tracker, feed}}, facts);
  ASSERT_EQ(alone.size(), 1U);
  EXPECT_EQ(alone[0].advisory->severity, Severity::medium);
  EXPECT_EQ(alone[0].advisory->severity_source, "urgency medium (debian-tracker)");
  const auto rated = findings({{FeedKind::debian_tracker, feed},
                               {FeedKind::osv, osv("CVE-2023-5363", "Debian:12", "openssl", fixed_in("9"),
                                                   R"("severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"}])")}},
                              facts);
  ASSERT_EQ(rated.size(), 1U);
  EXPECT_EQ(rated[0].advisory->severity, Severity::high);
  EXPECT_EQ(rated[0].advisory->cvss, 7.5);
  EXPECT_EQ(rated[0].advisory->severity_source, "CVSS 3.1 7.5 (osv)");
}

}  // namespace
}  // namespace vmpatch::advisory::test
