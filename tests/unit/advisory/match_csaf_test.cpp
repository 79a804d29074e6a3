// What CSAF documents, advisories and VEX, say of an installed version, and what counts when feeds differ.
#include <algorithm>

#include "unit/advisory/feeds.hpp"

namespace vmpatch::advisory::test {
namespace {

/// A document with products ("ID": purl) and one vulnerability's product_status.
std::string csaf(const std::vector<std::pair<std::string, std::string>>& products, const std::string& status, const std::string& more = "",
                 const std::string& relationships = "") {
  std::string branches;
  for (const auto& [id, helper] : products) {
    const char* kind = helper.starts_with("pkg:") ? "purl" : "cpe";
    branches += fmt::format(R"({}{{"category":"product_version","name":"{}","product":{{"product_id":"{}","name":"product {}",)"
                            R"("product_identification_helper":{{"{}":"{}"}}}}}})",
                            branches.empty() ? "" : ",", id, id, id, kind, helper);
  }
  return fmt::format(R"({{"document":{{"category":"csaf_vex","csaf_version":"2.0","tracking":{{"id":"VEX-1","current_release_date":"2026-03-04T05:06:07.000Z"}}}},)"
                     R"("product_tree":{{"branches":[{{"category":"vendor","name":"V","branches":[{}]}}]{}}},)"
                     R"("vulnerabilities":[{{"cve":"CVE-2023-5363","product_status":{{{}}}{}}}]}})",
                     branches, relationships, status, more);
}

std::string component_of(const std::string& id, const std::string& component, const std::string& platform) {
  return fmt::format(R"(,"relationships":[{{"category":"default_component_of","full_product_name":{{"name":"x","product_id":"{}"}},)"
                     R"("product_reference":"{}","relates_to_product_reference":"{}"}}])",
                     id, component, platform);
}

const std::string openssl_purl = "pkg:deb/debian/openssl?distro=debian-12";
const std::string tracker_affected = tracker("openssl", "CVE-2023-5363", "bookworm", R"({"status":"resolved","fixed_version":"3.0.11-1~deb12u2"})");
const std::string osv_affected = osv("DSA-5532-1", "Debian:12", "openssl", fixed_in("3.0.11-1~deb12u2"), R"("upstream":["CVE-2023-5363"])");
guest::Facts openssl(const std::string& version = "3.0.9-1") { return debian12({package("libssl3", version, "openssl")}); }

struct Case {
  std::string name;
  std::vector<std::string> feeds;
  guest::Facts facts;
  std::vector<std::string> expected;
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

class CsafMatch : public testing::TestWithParam<Case> {};

TEST_P(CsafMatch, FindsWhatTheDocumentsSay) {
  const Case& one = GetParam();
  // Another package of the same releases, so that they are covered.
  std::vector<TextFeed> feeds{{FeedKind::osv, R"([{"id":"X-1","affected":[{"package":{"ecosystem":"Debian:12","name":"-"}},)"
                                              R"({"package":{"ecosystem":"Red Hat:enterprise_linux:9::baseos","name":"-"}}]}])"}};
  for (const auto& text : one.feeds) feeds.push_back({FeedKind::automatic, text});
  EXPECT_EQ(lines(findings(feeds, one.facts)), one.expected);
}

guest::Facts rhel9(const std::string& version) {
  return machine("rhel", "9.3", {package("openssl-libs", version, "openssl", version.substr(2))}, "rpm");
}

guest::Facts of_stream(guest::Facts facts, const std::string& label) {
  facts.packages.at(0).module = label;
  return facts;
}

const std::string affected_line = "CVE-2023-5363 openssl 3.0.9-1 affected_unfixed -";
const std::string not_affected_line = "CVE-2023-5363 openssl 3.0.9-1 not_affected -";
const std::string investigated_line = "CVE-2023-5363 openssl 3.0.9-1 under_investigation -";
const std::string fixed_line = "CVE-2023-5363 openssl 3.0.9-1 affected_fixed 3.0.11-1~deb12u2";

const std::vector<Case> cases{
    {"affected_without_a_fix", {csaf({{"p", openssl_purl}}, R"("known_affected":["p"])")}, openssl(), {affected_line}},
    {"not_affected", {csaf({{"p", openssl_purl}}, R"("known_not_affected":["p"])")}, openssl(), {not_affected_line}},
    {"under_investigation", {csaf({{"p", openssl_purl}}, R"("under_investigation":["p"])")}, openssl(), {investigated_line}},
    {"older_than_fixed", {csaf({{"f", "pkg:deb/debian/openssl@3.0.11-1~deb12u2?distro=debian-12"}}, R"("fixed":["f"])")}, openssl(), {fixed_line}},
    {"as_new_as_fixed", {csaf({{"f", "pkg:deb/debian/openssl@3.0.9-1?distro=bookworm"}}, R"("fixed":["f"])")}, openssl(), {not_affected_line}},
    {"encoded_version", {csaf({{"f", "pkg:deb/debian/openssl@3.0.11-1%7Edeb12u2?distro=debian-12"}}, R"("fixed":["f"])")}, openssl(), {fixed_line}},
    {"affected_before_the_fix",
     {csaf({{"p", openssl_purl}, {"f", "pkg:deb/debian/openssl@3.0.11-1~deb12u2?distro=debian-12"}}, R"("known_affected":["p"],"fixed":["f"])")},
     openssl(), {fixed_line}},
    {"affected_before_the_fix_and_updated",
     {csaf({{"p", openssl_purl}, {"f", "pkg:deb/debian/openssl@3.0.11-1~deb12u2?distro=debian-12"}}, R"("known_affected":["p"],"fixed":["f"])")},
     openssl("3.0.11-1~deb12u2"), {"CVE-2023-5363 openssl 3.0.11-1~deb12u2 not_affected -"}},
    {"this_version_is_not_affected_although_older_than_the_fix",
     {csaf({{"n", "pkg:deb/debian/openssl@3.0.9-1?distro=debian-12"}, {"f", "pkg:deb/debian/openssl@3.0.11-1?distro=debian-12"}},
           R"("known_not_affected":["n"],"fixed":["f"])")},
     openssl(), {not_affected_line}},
    {"another_version_is_affected", {csaf({{"p", "pkg:deb/debian/openssl@3.0.8-1?distro=debian-12"}}, R"("known_affected":["p"])")}, openssl(), {}},
    {"this_version_is_affected", {csaf({{"p", "pkg:deb/debian/openssl@3.0.9-1?distro=debian-12"}}, R"("known_affected":["p"])")}, openssl(), {affected_line}},
    {"fixed_without_a_version_is_not_clean", {csaf({{"f", openssl_purl}}, R"("fixed":["f"])")}, openssl(), {investigated_line}},
    {"other_release", {csaf({{"p", "pkg:deb/debian/openssl?distro=debian-11"}}, R"("known_affected":["p"])")}, openssl(), {}},
    {"other_distribution", {csaf({{"p", "pkg:deb/ubuntu/openssl"}}, R"("known_affected":["p"])")}, openssl(), {}},
    {"every_release", {csaf({{"p", "pkg:deb/debian/openssl"}}, R"("known_affected":["p"])")}, openssl(), {affected_line}},
    {"generic_package", {csaf({{"p", "pkg:generic/openssl"}}, R"("known_affected":["p"])")}, openssl(), {affected_line}},
    {"binary_package", {csaf({{"p", "pkg:deb/debian/libssl3?arch=amd64&distro=debian-12"}}, R"("known_affected":["p"])")}, openssl(), {affected_line}},
    {"binary_package_that_is_not_there", {csaf({{"p", "pkg:deb/debian/openssl?arch=amd64&distro=debian-12"}}, R"("known_affected":["p"])")}, openssl(), {}},
    {"component_of_this_distribution",
     {csaf({{"c", "pkg:deb/debian/openssl"}, {"d", "cpe:2.3:o:debian:debian_linux:12.0:*:*:*:*:*:*:*"}}, R"("known_affected":["d:c"])", "",
           component_of("d:c", "c", "d"))},
     openssl(), {affected_line}},
    {"component_of_another_release",
     {csaf({{"c", "pkg:deb/debian/openssl"}, {"d", "cpe:2.3:o:debian:debian_linux:11.0:*:*:*:*:*:*:*"}}, R"("known_affected":["d:c"])", "",
           component_of("d:c", "c", "d"))},
     openssl(), {}},
    {"component_of_somebodys_product",
     {csaf({{"c", "pkg:deb/debian/openssl"}, {"d", "cpe:2.3:a:acme:appliance:1.0:*:*:*:*:*:*:*"}}, R"("known_not_affected":["d:c"])", "",
           component_of("d:c", "c", "d")),
      tracker_affected},
     openssl(), {fixed_line}},
    {"red_hat_component_with_epoch",
     {csaf({{"c", "pkg:rpm/redhat/openssl-libs@3.0.7-25.el9_3?arch=x86_64&epoch=1"}, {"BaseOS", "cpe:/o:redhat:enterprise_linux:9::baseos"}},
           R"("fixed":["BaseOS:c"])", "", component_of("BaseOS:c", "c", "BaseOS"))},
     rhel9("1:3.0.7-24.el9"), {"CVE-2023-5363 openssl 1:3.0.7-24.el9 affected_fixed 1:3.0.7-25.el9_3"}},
    {"red_hat_source_component",
     {csaf({{"c", "pkg:rpm/redhat/openssl?arch=src"}, {"BaseOS", "cpe:/o:redhat:enterprise_linux:9"}}, R"("known_affected":["BaseOS:c"])", "",
           component_of("BaseOS:c", "c", "BaseOS"))},
     rhel9("1:3.0.7-24.el9"), {"CVE-2023-5363 openssl 1:3.0.7-24.el9 affected_unfixed -"}},
    {"red_hat_extended_support_is_another_product",
     {csaf({{"c", "pkg:rpm/redhat/openssl-libs@3.0.7-99.el9_2?epoch=1"}, {"EUS", "cpe:/o:redhat:rhel_eus:9.2::baseos"}}, R"("fixed":["EUS:c"])", "",
           component_of("EUS:c", "c", "EUS"))},
     rhel9("1:3.0.7-24.el9"), {}},
    {"older_than_last_affected",
     {csaf({{"l0", "pkg:deb/debian/openssl@3.0.10-1?distro=debian-12"}}, R"("last_affected":["l0"])")},
     openssl("3.0.9-1"), {"CVE-2023-5363 openssl 3.0.9-1 affected_unfixed -"}},
    {"exactly_last_affected",
     {csaf({{"l0", "pkg:deb/debian/openssl@3.0.9-1?distro=debian-12"}}, R"("last_affected":["l0"])")},
     openssl("3.0.9-1"), {"CVE-2023-5363 openssl 3.0.9-1 affected_unfixed -"}},
    {"newer_than_last_affected",
     {csaf({{"l0", "pkg:deb/debian/openssl@3.0.8-1?distro=debian-12"}}, R"("last_affected":["l0"])")},
     openssl("3.0.9-1"), {}},
    {"newer_than_first_affected",
     {csaf({{"f0", "pkg:deb/debian/openssl@3.0.8-1?distro=debian-12"}}, R"("first_affected":["f0"])")},
     openssl("3.0.9-1"), {"CVE-2023-5363 openssl 3.0.9-1 affected_unfixed -"}},
    {"older_than_first_affected",
     {csaf({{"f0", "pkg:deb/debian/openssl@3.1.0-1?distro=debian-12"}}, R"("first_affected":["f0"])")},
     openssl("3.0.9-1"), {}},
    {"between_first_and_last_affected",
     {csaf({{"f0", "pkg:deb/debian/openssl@3.0.8-1?distro=debian-12"}, {"l1", "pkg:deb/debian/openssl@3.0.10-1?distro=debian-12"}}, R"("first_affected":["f0"],"last_affected":["l1"])")},
     openssl("3.0.9-1"), {"CVE-2023-5363 openssl 3.0.9-1 affected_unfixed -"}},
    {"between_two_affected_lines",
     {csaf({{"f0", "pkg:deb/debian/openssl@1.0-1?distro=debian-12"}, {"f1", "pkg:deb/debian/openssl@3.1.0-1?distro=debian-12"}, {"l2", "pkg:deb/debian/openssl@1.1-1?distro=debian-12"}, {"l3", "pkg:deb/debian/openssl@3.2.0-1?distro=debian-12"}}, R"("first_affected":["f0","f1"],"last_affected":["l2","l3"])")},
     openssl("3.0.9-1"), {}},
    {"inside_of_the_second_affected_line",
     {csaf({{"f0", "pkg:deb/debian/openssl@1.0-1?distro=debian-12"}, {"f1", "pkg:deb/debian/openssl@3.0.0-1?distro=debian-12"}, {"l2", "pkg:deb/debian/openssl@1.1-1?distro=debian-12"}, {"l3", "pkg:deb/debian/openssl@3.0.20-1?distro=debian-12"}}, R"("first_affected":["f0","f1"],"last_affected":["l2","l3"])")},
     openssl("3.0.9-1"), {"CVE-2023-5363 openssl 3.0.9-1 affected_unfixed -"}},
    {"the_higher_of_two_last_affected",
     {csaf({{"l0", "pkg:deb/debian/openssl@3.0.8-1?distro=debian-12"}, {"l1", "pkg:deb/debian/openssl@3.0.10-1?distro=debian-12"}}, R"("last_affected":["l0","l1"])")},
     openssl("3.0.9-1"), {"CVE-2023-5363 openssl 3.0.9-1 affected_unfixed -"}},
    {"first_affected_and_not_fixed",
     {csaf({{"f0", "pkg:deb/debian/openssl@3.0.8-1?distro=debian-12"}, {"f1", "pkg:deb/debian/openssl@3.0.11-1?distro=debian-12"}}, R"("first_affected":["f0"],"fixed":["f1"])")},
     openssl("3.0.9-1"), {"CVE-2023-5363 openssl 3.0.9-1 affected_fixed 3.0.11-1"}},
    {"first_affected_and_fixed",
     {csaf({{"f0", "pkg:deb/debian/openssl@3.0.8-1?distro=debian-12"}, {"f1", "pkg:deb/debian/openssl@3.0.11-1?distro=debian-12"}}, R"("first_affected":["f0"],"fixed":["f1"])")},
     openssl("3.0.11-1"), {"CVE-2023-5363 openssl 3.0.11-1 not_affected -"}},
    {"generic_package_clears_nothing_the_distribution_says", {tracker_affected, csaf({{"p", "pkg:generic/openssl"}}, R"("known_not_affected":["p"])")}, openssl(), {fixed_line}},
    {"package_without_a_distribution_clears_nothing_the_distribution_says", {tracker_affected, csaf({{"p", "pkg:deb/openssl"}}, R"("known_not_affected":["p"])")}, openssl(), {fixed_line}},
    {"another_package_manager_says_nothing", {tracker_affected, csaf({{"p", "pkg:apk/openssl"}}, R"("known_not_affected":["p"])")}, openssl(), {fixed_line}},
    {"another_package_manager_is_no_finding", {csaf({{"p", "pkg:apk/openssl"}}, R"("known_not_affected":["p"])")}, openssl(), {}},
    {"generic_package_accuses_nothing_the_distribution_clears",
     {tracker("openssl", "CVE-2023-5363", "bookworm", R"({"status":"resolved","fixed_version":"0"})"),
      csaf({{"p", "pkg:generic/openssl"}}, R"("known_affected":["p"])")},
     openssl(), {not_affected_line}},
    {"generic_component_of_this_distribution_clears_nothing_it_says",
     {tracker_affected, csaf({{"c", "pkg:generic/openssl"}, {"d", "cpe:2.3:o:debian:debian_linux:12.0:*:*:*:*:*:*:*"}},
                             R"("known_not_affected":["d:c"])", "", component_of("d:c", "c", "d"))},
     openssl(), {fixed_line}},
    {"module_stream_that_is_fixed_is_not_clean",
     {csaf({{"c", "pkg:rpm/redhat/openssl-libs@3.0.7-20.el9?arch=x86_64&epoch=1&rpmmod=ssl:3:900:abc"}, {"BaseOS", "cpe:/a:redhat:enterprise_linux:9::appstream"}},
           R"("fixed":["BaseOS:c"])", "", component_of("BaseOS:c", "c", "BaseOS"))},
     rhel9("1:3.0.7-24.module+el9"), {"CVE-2023-5363 openssl 1:3.0.7-24.module+el9 under_investigation -"}},
    {"module_stream_that_is_not_affected_is_not_clean",
     {csaf({{"c", "pkg:rpm/redhat/openssl-libs?arch=x86_64&epoch=1&rpmmod=ssl:3:900:abc"}, {"BaseOS", "cpe:/a:redhat:enterprise_linux:9::appstream"}},
           R"("known_not_affected":["BaseOS:c"])", "", component_of("BaseOS:c", "c", "BaseOS"))},
     rhel9("1:3.0.7-24.module+el9"), {"CVE-2023-5363 openssl 1:3.0.7-24.module+el9 under_investigation -"}},
    {"module_stream_that_is_affected_and_may_not_be_the_machines",
     {csaf({{"c", "pkg:rpm/redhat/openssl-libs@3.0.7-25.el9?arch=x86_64&epoch=1&rpmmod=ssl:3:900:abc"}, {"BaseOS", "cpe:/a:redhat:enterprise_linux:9::appstream"}},
           R"("fixed":["BaseOS:c"])", "", component_of("BaseOS:c", "c", "BaseOS"))},
     rhel9("1:3.0.7-24.module+el9"), {"CVE-2023-5363 openssl 1:3.0.7-24.module+el9 under_investigation -"}},
    {"component_of_a_module",
     {csaf({{"c", "pkg:rpm/redhat/openssl-libs@3.0.7-20.el9?arch=x86_64&epoch=1"}, {"BaseOS", "pkg:rpmmod/redhat/ssl@3:900:abc"}},
           R"("fixed":["BaseOS:c"])", "", component_of("BaseOS:c", "c", "BaseOS"))},
     rhel9("1:3.0.7-24.module+el9"), {"CVE-2023-5363 openssl 1:3.0.7-24.module+el9 under_investigation -"}},
    {"module_stream_says_nothing_of_a_package_that_no_module_built",
     {csaf({{"c", "pkg:rpm/redhat/openssl-libs@3.0.7-25.el9?arch=x86_64&epoch=1&rpmmod=ssl:3:900:abc"}, {"BaseOS", "cpe:/a:redhat:enterprise_linux:9::appstream"}},
           R"("fixed":["BaseOS:c"])", "", component_of("BaseOS:c", "c", "BaseOS"))},
     rhel9("1:3.0.7-24.el9"), {}},
    {"fix_of_one_module_stream_says_nothing_of_another",
     {csaf({{"a", "pkg:rpm/redhat/openssl-libs@3.0.7-25.el9?arch=x86_64&epoch=1&rpmmod=ssl:3"},
            {"b", "pkg:rpm/redhat/openssl-libs?arch=x86_64&rpmmod=ssl:4"}},
           R"("fixed":["a"],"known_affected":["b"])")},
     of_stream(rhel9("1:3.0.7-25.el9"), "ssl:4:901:def"), {"CVE-2023-5363 openssl 1:3.0.7-25.el9 affected_unfixed -"}},
    {"vex_not_affected_overrides_tracker_and_osv",
     {tracker_affected, osv_affected, csaf({{"p", openssl_purl}}, R"("known_not_affected":["p"])")}, openssl(), {not_affected_line}},
    {"vex_of_another_release_overrides_nothing",
     {tracker_affected, csaf({{"p", "pkg:deb/debian/openssl?distro=debian-11"}}, R"("known_not_affected":["p"])")}, openssl(), {fixed_line}},
    {"vex_investigation_hides_no_known_flaw",
     {tracker_affected, csaf({{"p", openssl_purl}}, R"("under_investigation":["p"])")}, openssl(), {fixed_line}},
    {"vex_investigation_stays_when_the_tracker_says_clean",
     {tracker("openssl", "CVE-2023-5363", "bookworm", R"({"status":"resolved","fixed_version":"0"})"),
      csaf({{"p", openssl_purl}}, R"("under_investigation":["p"])")},
     openssl(), {investigated_line}},
    {"tracker_overrides_osv",
     {osv_affected, tracker("openssl", "CVE-2023-5363", "bookworm", R"({"status":"resolved","fixed_version":"0"})")}, openssl(), {not_affected_line}},
    {"tracker_gives_the_fixed_version",
     {tracker_affected, osv("CVE-2023-5363", "Debian:12", "openssl", ranges(R"({"introduced":"0"})"))}, openssl(), {fixed_line}},
    {"undetermined_yields_to_a_known_flaw",
     {osv_affected, tracker("openssl", "CVE-2023-5363", "bookworm", R"({"status":"undetermined"})")}, openssl(), {fixed_line}},
    {"aliases_join_feeds", {tracker_affected, osv_affected}, openssl(), {fixed_line}},
    {"two_errata_need_the_higher_fix",
     {osv_affected, osv("DSA-5532-2", "Debian:12", "openssl", fixed_in("3.0.11-1~deb12u3"), R"("upstream":["CVE-2023-5363"])")}, openssl(),
     {"CVE-2023-5363 openssl 3.0.9-1 affected_fixed 3.0.11-1~deb12u3"}},
    {"equal_rank_takes_the_worse",
     {osv_affected, osv("CVE-2023-5363", "Debian:12", "openssl", fixed_in("3.0.8-1"))}, openssl(), {fixed_line}},
};

INSTANTIATE_TEST_SUITE_P(All, CsafMatch, testing::ValuesIn(cases), [](const auto& row) { return row.param.name; });

TEST(CsafFinding, TellsTheJustification) {
  const auto found = findings({{FeedKind::csaf, csaf({{"p", openssl_purl}}, R"("known_not_affected":["p"])",
                                                     R"(,"flags":[{"label":"vulnerable_code_not_present","product_ids":["p"]}])")}},
                              openssl());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].reason, "vulnerable_code_not_present");
  EXPECT_EQ(found[0].sources, std::vector<std::string>{"csaf:VEX-1"});
}

TEST(CsafFinding, TellsThatNoFixIsPlanned) {
  const auto found = findings({{FeedKind::csaf, csaf({{"p", openssl_purl}}, R"("known_affected":["p"])",
                                                     R"(,"remediations":[{"category":"no_fix_planned","details":"Out of support","product_ids":["p"]}],)"
                                                     R"("scores":[{"products":["p"],"cvss_v3":{"version":"3.1","baseScore":7.5,"vectorString":"x"}}])")}},
                              openssl());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].reason, "no fix planned: Out of support");
  EXPECT_EQ(found[0].advisory->cvss, 7.5);
  EXPECT_EQ(found[0].advisory->severity, Severity::high);
}

TEST(CsafFinding, RangesOfVersions) {
  const std::string document =
      R"({"document":{"csaf_version":"2.0","tracking":{"id":"VEX-2"}},"product_tree":{"branches":[{"category":"product_version_range",)"
      R"("name":"RANGE","product":{"product_id":"p","name":"x","product_identification_helper":{"purl":"pkg:deb/debian/openssl?distro=debian-12"}}}]},)"
      R"("vulnerabilities":[{"cve":"CVE-2023-5363","product_status":{"known_affected":["p"]}}]})";
  const auto with = [&](const std::string& range) {
    std::string text = document;
    text.replace(text.find("RANGE"), 5, range);
    return lines(findings({{FeedKind::csaf, text}}, openssl()));
  };
  EXPECT_EQ(with("vers:deb/>=3.0.0-1|<3.0.10-1"), std::vector<std::string>{"CVE-2023-5363 openssl 3.0.9-1 affected_fixed 3.0.10-1"});
  EXPECT_EQ(with("vers:deb/<=3.0.9-1"), std::vector<std::string>{affected_line});
  EXPECT_EQ(with("vers:deb/<3.0.9-1"), std::vector<std::string>{});
  EXPECT_EQ(with("vers:deb/3.0.9-1"), std::vector<std::string>{affected_line});
  EXPECT_EQ(with("vers:deb/*"), std::vector<std::string>{affected_line});
  EXPECT_EQ(with("all versions before 3.0.10"), std::vector<std::string>{investigated_line});
}

TEST(CsafCoverage, OnlyProductsWithAReleaseThatTheDocumentJudges) {
  const auto covered = [](const std::string& document) { return database({{FeedKind::csaf, document}}, openssl()).match(openssl()).has_value(); };
  EXPECT_TRUE(covered(csaf({{"p", "pkg:deb/debian/nginx?distro=debian-12"}}, R"("known_affected":["p"])")));
  EXPECT_FALSE(covered(csaf({{"p", "pkg:deb/debian/nginx"}}, R"("known_affected":["p"])")));
  EXPECT_FALSE(covered(csaf({{"p", "pkg:deb/debian/nginx?distro=debian-12"}}, "")));
}

TEST(Joining, ContradictionOfEqualRankNamesBoth) {
  const auto found = findings({{FeedKind::osv, osv_affected}, {FeedKind::osv, osv("CVE-2023-5363", "Debian:12", "openssl", fixed_in("3.0.8-1"))}}, openssl());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].reason,
            "3.0.9-1 is lower than 3.0.11-1~deb12u2; so says osv:DSA-5532-1, but osv:CVE-2023-5363 says not affected: fixed since 3.0.8-1");
  EXPECT_EQ(found[0].sources, (std::vector<std::string>{"osv:CVE-2023-5363", "osv:DSA-5532-1"}));
}

TEST(Joining, NamesOfOneVulnerabilityInAnyOrder) {
  const std::string ghsa = osv("GHSA-aaaa-bbbb-cccc", "Debian:12", "openssl", fixed_in("3.0.10-1"));
  const std::string cve = osv("CVE-2023-5363", "Debian:12", "openssl", fixed_in("3.0.10-1"), R"("aliases":["GHSA-aaaa-bbbb-cccc"])");
  const std::vector<std::string> expected{"CVE-2023-5363 openssl 3.0.9-1 affected_fixed 3.0.10-1"};
  EXPECT_EQ(lines(findings({{FeedKind::osv, ghsa}, {FeedKind::osv, cve}}, openssl())), expected);
  EXPECT_EQ(lines(findings({{FeedKind::osv, cve}, {FeedKind::osv, ghsa}}, openssl())), expected);
  const Database loaded = database({{FeedKind::osv, ghsa}, {FeedKind::osv, cve}}, openssl());
  ASSERT_NE(loaded.find("GHSA-aaaa-bbbb-cccc"), nullptr);
  EXPECT_EQ(loaded.find("GHSA-aaaa-bbbb-cccc")->id, "CVE-2023-5363");
  EXPECT_EQ(loaded.find("CVE-2023-5363")->aliases, std::vector<std::string>{"GHSA-aaaa-bbbb-cccc"});
  EXPECT_EQ(loaded.find("CVE-1999-0001"), nullptr);
}

TEST(Joining, AliasesNeverMakeOneOfTwoCves) {
  const std::string first = osv("CVE-2023-5363", "Debian:12", "openssl", fixed_in("3.0.10-1"), R"("aliases":["GHSA-1"])");
  const std::string second = osv("CVE-2023-5364", "Debian:12", "openssl", fixed_in("3.0.10-1"), R"("aliases":["GHSA-1","CVE-2023-5363"])");
  EXPECT_EQ(findings({{FeedKind::osv, first}, {FeedKind::osv, second}}, openssl()).size(), 2U);
}

TEST(Joining, CveIsNeverAnAliasOfAnotherInAnyOrder) {
  const std::string first = osv("CVE-2023-5363", "Debian:12", "openssl", fixed_in("9"), R"("aliases":["CVE-2023-5364","GHSA-1"])");
  const std::string second = osv("CVE-2023-5364", "Debian:12", "openssl", fixed_in("1"));
  const std::string third = osv("GHSA-1", "Debian:12", "openssl", fixed_in("9"));
  std::vector<std::string> records{first, second, third};
  std::sort(records.begin(), records.end());
  do {
    const Database loaded = database({{FeedKind::osv, records[0]}, {FeedKind::osv, records[1]}, {FeedKind::osv, records[2]}}, openssl());
    EXPECT_EQ(lines(*loaded.match(openssl())),
              (std::vector<std::string>{"CVE-2023-5363 openssl 3.0.9-1 affected_fixed 9", "CVE-2023-5364 openssl 3.0.9-1 not_affected -"}));
    EXPECT_EQ(loaded.find("CVE-2023-5364")->id, "CVE-2023-5364");
    EXPECT_EQ(loaded.find("CVE-2023-5363")->aliases, std::vector<std::string>{"GHSA-1"});
    EXPECT_EQ(loaded.find("GHSA-1")->id, "CVE-2023-5363");
  } while (std::next_permutation(records.begin(), records.end()));
}

TEST(Joining, ErratumNamesAllItsVulnerabilities) {
  const std::string erratum = osv("DSA-1-1", "Debian:12", "openssl", fixed_in("9"), R"("upstream":["CVE-2023-0002","CVE-2023-0001"],"aliases":["X-1"])");
  const std::string later = osv("CVE-2023-0003", "Debian:12", "openssl", fixed_in("9"), R"("aliases":["DSA-1-1"])");
  const Database loaded = database({{FeedKind::osv, erratum}, {FeedKind::osv, later}}, openssl());
  const auto ids = [&](const char* id) {
    std::string text;
    for (const auto& advisory : loaded.find_all(id)) text += (text.empty() ? "" : " ") + advisory->id;
    return text;
  };
  const std::pair<const char*, const char*> rows[] = {
      {"DSA-1-1", "CVE-2023-0001 CVE-2023-0002 CVE-2023-0003"}, {"dsa-1-1", "CVE-2023-0001 CVE-2023-0002 CVE-2023-0003"},
      {"X-1", "CVE-2023-0001 CVE-2023-0002"}, {"CVE-2023-0002", "CVE-2023-0002"}, {"cve-2023-0003", "CVE-2023-0003"}, {"DSA-1", ""}, {"", ""}};
  for (const auto& [id, expected] : rows) EXPECT_EQ(ids(id), expected) << id;
  EXPECT_EQ(loaded.find("dsa-1-1")->id, "CVE-2023-0001");
  EXPECT_EQ(loaded.find("CVE-2023-0003")->aliases, std::vector<std::string>{"DSA-1-1"});
}

TEST(Joining, KevAndEpssOfKnownVulnerabilities) {
  const std::string kev = R"({"title":"K","catalogVersion":"2026.11.01","dateReleased":"2026-11-01T10:00:00.1234Z","count":2,"vulnerabilities":[)"
                          R"({"cveID":"CVE-2023-5363","dateAdded":"2026-10-01","knownRansomwareCampaignUse":"Known"},)"
                          R"({"cveID":"CVE-2000-0001","dateAdded":"2026-10-01","knownRansomwareCampaignUse":"Unknown"}]})";
  const std::string epss = "#model_version:v2025.03.14,score_date:2026-11-02T00:00:00+0000\ncve,epss,percentile\n"
                           "CVE-2000-0001,0.5,0.5\nCVE-2023-5363,0.91234,0.99\n";
  std::vector<FeedState> states;
  const Database loaded = database({{FeedKind::automatic, osv_affected}, {FeedKind::automatic, kev}, {FeedKind::automatic, epss}}, openssl(), &states);
  const auto advisory = loaded.find("CVE-2023-5363");
  ASSERT_NE(advisory, nullptr);
  EXPECT_TRUE(advisory->exploited);
  EXPECT_TRUE(advisory->ransomware);
  EXPECT_EQ(format_time(advisory->exploited_since.value()), "2026-10-01T00:00:00Z");
  EXPECT_EQ(advisory->epss, 0.91234);
  EXPECT_EQ(advisory->epss_percentile, 0.99);
  ASSERT_EQ(states.size(), 3U);
  EXPECT_EQ(states[1].kind, FeedKind::kev);
  EXPECT_EQ(states[1].records, 2U);
  EXPECT_EQ(states[1].relevant, 1U);
  EXPECT_EQ(format_time(states[1].issued.value()), "2026-11-01T10:00:00Z");
  EXPECT_EQ(states[2].kind, FeedKind::epss);
  EXPECT_EQ(format_time(states[2].issued.value()), "2026-11-02T00:00:00Z");
  EXPECT_EQ(loaded.find("CVE-2000-0001"), nullptr);
}

TEST(Joining, ErratumForSeveralRatesOnlyWhatNothingElseRates) {
  const std::string erratum = osv("DSA-1-1", "Debian:12", "openssl", fixed_in("9"),
                                  R"("upstream":["CVE-2023-0001","CVE-2023-0002"],"database_specific":{"severity":"CRITICAL"})");
  const std::string own = osv("CVE-2023-0001", "Debian:12", "openssl", fixed_in("9"), R"("database_specific":{"severity":"LOW"})");
  const Database loaded = database({{FeedKind::osv, erratum}, {FeedKind::osv, own}}, openssl());
  EXPECT_EQ(loaded.find("CVE-2023-0001")->severity, Severity::low);
  EXPECT_EQ(loaded.find("CVE-2023-0002")->severity, Severity::critical);
}

}  // namespace
}  // namespace vmpatch::advisory::test
