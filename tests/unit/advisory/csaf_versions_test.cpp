// Releases and versions of CSAF products as vendors write them, and what of them is left out.
#include "unit/advisory/csaf_documents.hpp"
#include "unit/advisory/feeds.hpp"

namespace vmpatch::advisory::test {
namespace {

using Lines = std::vector<std::string>;

const std::string covering = R"([{"id":"X-1","affected":[{"package":{"ecosystem":"Debian:12","name":"-"}},{"package":{"ecosystem":"Ubuntu:22.04:LTS","name":"-"}}]}])";

struct Answer {
  Lines found;
  std::uint64_t skipped = 0;
  std::string problem;
};

Answer ask(const Document& document, const guest::Facts& facts) {
  std::vector<FeedState> states;
  const Database loaded = database({{FeedKind::osv, covering}, {FeedKind::csaf, document.text()}}, facts, &states);
  return {lines(*loaded.match(facts)), states.back().skipped, states.back().problems.empty() ? "" : states.back().problems[0]};
}

guest::Facts jammy(const std::string& version = "3.0.2-0ubuntu1.10") { return machine("ubuntu", "22.04", {package("libssl3", version, "openssl")}); }
guest::Facts bookworm(const std::string& version = "3.0.9-1") { return debian12({package("libssl3", version, "openssl")}); }

/// A product in a branch of its own: "category" and "name" are the branch's.
Json branch(const std::string& category, const std::string& name, const std::string& purl) {
  Json made = leaf("p", purl);
  made["category"] = category;
  made["name"] = name;
  return made;
}

// Releases

TEST(CsafRelease, CodeNameOfUbuntuIsItsRelease) {
  for (const char* distro : {"jammy", "esm-infra/jammy", "esm-apps/jammy", "ubuntu-22.04", "22.04.3"}) {
    const Document document({leaf("p", std::string("pkg:deb/ubuntu/openssl@3.0.2-0ubuntu1.15?arch=source&distro=") + distro)}, {}, "fixed", {"p"});
    const auto answer = ask(document, jammy());
    EXPECT_EQ(answer.found, Lines{"CVE-2022-36760 openssl 3.0.2-0ubuntu1.10 affected_fixed 3.0.2-0ubuntu1.15"}) << distro;
    EXPECT_EQ(answer.skipped, 0U) << distro;
  }
}

TEST(CsafRelease, PointReleaseInAPlatformsNameIsItsRelease) {
  const Document document({leaf("U", "", "Ubuntu 22.04.3 LTS"), leaf("c", "pkg:deb/ubuntu/openssl@3.0.2-0ubuntu1.15?arch=source")}, {combination("U:c", "c", "U")},
                          "fixed", {"U:c"});
  EXPECT_EQ(ask(document, jammy()).found, Lines{"CVE-2022-36760 openssl 3.0.2-0ubuntu1.10 affected_fixed 3.0.2-0ubuntu1.15"});
}

TEST(CsafRelease, OneThatIsNotUnderstoodCountsForAnInstalledPackage) {
  const auto skipped = [](const std::string& purl) { return ask(Document({leaf("p", purl)}, {}, "fixed", {"p"}), jammy()).skipped; };
  EXPECT_EQ(skipped("pkg:deb/ubuntu/openssl@3.0.2?arch=source&distro=jolly"), 1U);
  EXPECT_EQ(skipped("pkg:deb/ubuntu/openssl@3.0.2?arch=source&distro=new-archive/jammy"), 1U);
  EXPECT_EQ(skipped("pkg:deb/ubuntu/nginx@3.0.2?arch=source&distro=jolly"), 0U);
  // Another product, and another distribution.
  EXPECT_EQ(skipped("pkg:deb/ubuntu/openssl@3.0.2?arch=source&distro=fips-updates/jammy"), 0U);
  const Document platform({leaf("U", "cpe:/o:canonical:ubuntu_linux:jolly"), leaf("c", "pkg:deb/ubuntu/openssl@3.0.2?arch=source")}, {combination("U:c", "c", "U")},
                          "fixed", {"U:c"});
  EXPECT_EQ(ask(platform, jammy()).skipped, 1U);
}

// Versions

TEST(CsafVersion, NameOfABranchIsTheVersion) {
  const std::string purl = "pkg:deb/debian/openssl?distro=debian-12";
  const auto found = [&](const std::string& status, const std::string& name) { return ask(Document({branch("product_version", name, purl)}, {}, status, {"p"}), bookworm()).found; };
  EXPECT_EQ(found("known_not_affected", "3.0.11-1"), Lines{});
  EXPECT_EQ(found("known_not_affected", "3.0.9-1"), Lines{"CVE-2022-36760 openssl 3.0.9-1 not_affected -"});
  EXPECT_EQ(found("fixed", "3.0.11-1"), Lines{"CVE-2022-36760 openssl 3.0.9-1 affected_fixed 3.0.11-1"});
  EXPECT_EQ(found("known_affected", "3.0.8-1"), Lines{});
  // Red Hat writes the package's name there.
  EXPECT_EQ(found("known_affected", "openssl"), Lines{"CVE-2022-36760 openssl 3.0.9-1 affected_unfixed -"});
}

TEST(CsafVersion, BranchOfAnArchitectureHasThatOfTheBranchAbove) {
  Json architecture = branch("architecture", "amd64", "pkg:deb/debian/libssl3?distro=debian-12&arch=amd64");
  const Json version{{"category", "product_version"}, {"name", "3.0.11-1"}, {"branches", {architecture}}};
  EXPECT_EQ(ask(Document({version}, {}, "fixed", {"p"}), bookworm()).found, Lines{"CVE-2022-36760 openssl 3.0.9-1 affected_fixed 3.0.11-1"});
}

TEST(CsafVersion, NameOfABranchMayBeThatOfAnRpmFile) {
  const auto facts = machine("rhel", "9.4", {package("openssl", "1:3.0.7-24.el9")}, "rpm");
  Json product = leaf("c", "pkg:rpm/redhat/openssl");
  product["name"] = "openssl-1:3.0.7-27.el9.src";
  const Document document({leaf("B", "cpe:/o:redhat:enterprise_linux:9::baseos"), product}, {combination("B:c", "c", "B")}, "fixed", {"B:c"});
  EXPECT_EQ(lines(findings({{FeedKind::csaf, document.text()}}, facts)), Lines{"CVE-2022-36760 openssl 1:3.0.7-24.el9 affected_fixed 1:3.0.7-27.el9"});
  // A package whose name begins with a figure.
  const auto ds = machine("rhel", "9.4", {package("389-ds-base", "2.4.5-1.el9")}, "rpm");
  Json component = leaf("c", "pkg:rpm/redhat/389-ds-base?arch=src");
  component["name"] = "389-ds-base";
  const Document open({leaf("B", "cpe:/o:redhat:enterprise_linux:9::baseos"), component}, {combination("B:c", "c", "B")}, "known_not_affected", {"B:c"});
  EXPECT_EQ(lines(findings({{FeedKind::csaf, open.text()}}, ds)), Lines{"CVE-2022-36760 389-ds-base 2.4.5-1.el9 not_affected -"});
}

TEST(CsafVersion, WhatIsNotUnderstoodIsUnderInvestigationAndCounts) {
  const std::string purl = "pkg:deb/debian/openssl?distro=debian-12";
  for (const auto& [category, name] : {std::pair("product_version", "3.0.11 and later"), std::pair("product_version_range", "< 3.0.11")}) {
    const Document document({branch(category, name, purl)}, {}, "known_not_affected", {"p"});
    const auto answer = ask(document, bookworm());
    EXPECT_EQ(answer.found, Lines{"CVE-2022-36760 openssl 3.0.9-1 under_investigation -"}) << name;
    EXPECT_EQ(answer.skipped, 1U) << name;
    EXPECT_EQ(answer.problem, "RHSA-1 vulnerability 1: version range '" + std::string(name) + "' is not understood");
    EXPECT_EQ(ask(document, debian12({package("nginx", "1-1")})).skipped, 0U) << name;
  }
}

TEST(CsafVersion, MoreThanAreKeptAreUnderInvestigationAndCount) {
  const auto document = [](int count, const std::string& status) {
    std::vector<Json> products;
    std::vector<std::string> ids;
    for (int i = 0; i < count; ++i) {
      ids.push_back(fmt::format("p{}", i));
      products.push_back(leaf(ids.back(), fmt::format("pkg:deb/debian/openssl@1.{}-1?distro=debian-12", i)));
    }
    return Document(products, {}, status, ids);
  };
  const auto many = document(10'100, "known_affected");
  EXPECT_EQ(ask(many, bookworm("1.10099-1")).found, Lines{"CVE-2022-36760 openssl 1.10099-1 under_investigation -"});
  EXPECT_EQ(ask(many, bookworm("1.10099-1")).skipped, 1U);
  EXPECT_EQ(ask(many, bookworm("1.5-1")).found, Lines{"CVE-2022-36760 openssl 1.5-1 affected_unfixed -"});
  const auto all = document(10'000, "known_affected");
  EXPECT_EQ(ask(all, bookworm("1.9999-1")).found, Lines{"CVE-2022-36760 openssl 1.9999-1 affected_unfixed -"});
  EXPECT_EQ(ask(all, bookworm("1.9999-1")).skipped, 0U);
  const auto fixes = ask(document(10'000, "fixed"), bookworm("1.5-1"));
  EXPECT_EQ(fixes.found, Lines{"CVE-2022-36760 openssl 1.5-1 under_investigation -"});
  EXPECT_EQ(fixes.skipped, 1U);
}

// Records of other feeds, of which a part is not understood

TEST(PartlyUnderstood, RecordCountsWhereThePackageIsInstalled) {
  const auto skipped = [](const std::string& feed, const guest::Facts& facts) {
    std::vector<FeedState> states;
    static_cast<void>(database({{FeedKind::automatic, feed}}, facts, &states));
    return states.back().skipped;
  };
  const auto other = debian12({package("nginx", "1-1")});
  const std::string parts[] = {
      ranges(R"({"introduced":"0","fixed":"9"})"),
      R"("ranges":[{"type":"NEW","events":[{"introduced":"0"}]},{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1"}]}])",
      R"("versions":["1",7])"};
  for (const auto& part : parts) {
    const std::string record = osv("CVE-2024-1234", "Debian:12", "openssl", part);
    EXPECT_EQ(skipped(record, bookworm()), 1U) << part;
    EXPECT_EQ(skipped(record, other), 0U) << part;
  }
  const std::string odd = tracker("openssl", "CVE-2024-1234", "bookworm", R"({"status":"new"})");
  EXPECT_EQ(skipped(odd, bookworm()), 1U);
  EXPECT_EQ(skipped(odd, other), 0U);
}

}  // namespace
}  // namespace vmpatch::advisory::test
