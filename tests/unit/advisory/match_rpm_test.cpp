// Packages of rpm: epochs that feeds and source packages leave out, module streams, minor releases with fixes of their own.
#include "unit/advisory/csaf_documents.hpp"
#include "unit/advisory/feeds.hpp"

namespace vmpatch::advisory::test {
namespace {

using Lines = std::vector<std::string>;

guest::Package rpm(const std::string& name, const std::string& version, const std::string& source, const std::string& source_version,
                   const std::string& module = "") {
  auto made = package(name, version, source, source_version);
  made.module = module;
  return made;
}

guest::Facts rhel9(std::vector<guest::Package> packages) { return machine("rhel", "9.4", std::move(packages), "rpm"); }
guest::Facts alma9(std::vector<guest::Package> packages) { return machine("almalinux", "9.4", std::move(packages), "rpm"); }
guest::Facts mageia9(std::vector<guest::Package> packages) { return machine("mageia", "9", std::move(packages), "rpm"); }
guest::Facts openeuler(std::vector<guest::Package> packages) {
  auto facts = machine("openEuler", "22.03", std::move(packages), "rpm");
  facts.os.pretty_name = "openEuler 22.03 (LTS)";
  return facts;
}

Lines alma(const std::vector<std::string>& records, std::vector<guest::Package> packages) {
  std::vector<TextFeed> feeds{{FeedKind::osv, osv("X-1", "AlmaLinux:9", "-", fixed_in("1"))}};
  for (const auto& record : records) feeds.push_back({FeedKind::osv, record});
  return lines(findings(feeds, alma9(std::move(packages))));
}

Lines red_hat(const Document& document, std::vector<guest::Package> packages) {
  const std::string covering = osv("X-1", "Red Hat:enterprise_linux:9::baseos", "-", fixed_in("1"));
  return lines(findings({{FeedKind::osv, covering}, {FeedKind::csaf, document.text()}}, rhel9(std::move(packages))));
}

// Epochs

TEST(Epoch, FeedThatLeavesEpochsOutIsComparedWithout) {
  const auto line = [](const std::string& installed) {
    return lines(findings({{FeedKind::osv, osv("OESA-2023-1092", "openEuler:22.03-LTS", "openssl", fixed_in("1.1.1m-18.oe2203"), R"("upstream":["CVE-2023-0286"])")}},
                          openeuler({rpm("openssl-libs", installed, "openssl", installed)})));
  };
  EXPECT_EQ(line("1:1.1.1m-1.oe2203"), Lines{"CVE-2023-0286 openssl 1:1.1.1m-1.oe2203 affected_fixed 1.1.1m-18.oe2203"});
  EXPECT_EQ(line("1:1.1.1m-18.oe2203"), Lines{"CVE-2023-0286 openssl 1:1.1.1m-18.oe2203 not_affected -"});
}

TEST(Epoch, VersionsInAListWithoutEpochsAreFound) {
  const auto line = [](const std::string& installed) {
    return lines(findings({{FeedKind::osv, osv("CVE-2023-0286", "openEuler:22.03-LTS", "openssl", R"("versions":["1.1.1m-1.oe2203"])")}},
                          openeuler({rpm("openssl-libs", installed, "openssl", installed)})));
  };
  EXPECT_EQ(line("1:1.1.1m-1.oe2203"), Lines{"CVE-2023-0286 openssl 1:1.1.1m-1.oe2203 affected_unfixed -"});
  EXPECT_EQ(line("1:1.1.1m-2.oe2203"), Lines{"CVE-2023-0286 openssl 1:1.1.1m-2.oe2203 not_affected -"});
}

TEST(Epoch, FeedThatCarriesEpochsIsComparedWithThem) {
  const std::string record = osv("CVE-2023-0286", "AlmaLinux:9", "bind", fixed_in("9.16.23-14.el9"));
  EXPECT_EQ(alma({record}, {rpm("bind", "32:9.16.23-1.el9", "bind", "32:9.16.23-1.el9")}), Lines{"CVE-2023-0286 bind 32:9.16.23-1.el9 not_affected -"});
}

TEST(Epoch, SourcePackageHasThatOfThePackageWithItsVersion) {
  const std::string record = R"({"id":"ALSA-2024:2228","modified":"2024-01-01T00:00:00Z","related":["CVE-2023-47038"],"affected":[)"
                             R"({"package":{"ecosystem":"AlmaLinux:9","name":"perl"},)" + fixed_in("4:5.32.1-481.el9") +
                             R"(},{"package":{"ecosystem":"AlmaLinux:9","name":"perl-POSIX"},)" + fixed_in("1.94-481.el9") + "}]}";
  const auto posix = [](const char* release) { return rpm("perl-POSIX", std::string("1.94-") + release, "perl", std::string("5.32.1-") + release); };
  EXPECT_EQ(alma({record}, {rpm("perl-libs", "4:5.32.1-481.el9", "perl", "4:5.32.1-481.el9"), posix("481.el9")}),
            Lines{"CVE-2023-47038 perl 4:5.32.1-481.el9 not_affected -"});
  EXPECT_EQ(alma({record}, {rpm("perl-libs", "4:5.32.1-480.el9", "perl", "4:5.32.1-480.el9"), posix("480.el9")}),
            Lines{"CVE-2023-47038 perl 4:5.32.1-480.el9 affected_fixed 4:5.32.1-481.el9"});
}

TEST(Epoch, SourcePackageWhoseEpochNothingTellsIsComparedWithout) {
  const Document document({leaf("B", "cpe:/o:redhat:enterprise_linux:9::baseos"), leaf("s", "pkg:rpm/redhat/perl@5.32.1-481.el9?arch=src&epoch=4")},
                          {combination("B:s", "s", "B")}, "fixed", {"B:s"});
  EXPECT_EQ(red_hat(document, {rpm("perl-POSIX", "1.94-481.el9", "perl", "5.32.1-481.el9")}), Lines{"CVE-2022-36760 perl 5.32.1-481.el9 not_affected -"});
  EXPECT_EQ(red_hat(document, {rpm("perl-POSIX", "1.94-480.el9", "perl", "5.32.1-480.el9")}),
            Lines{"CVE-2022-36760 perl 5.32.1-480.el9 affected_fixed 4:5.32.1-481.el9"});
}

TEST(Epoch, PartOfASourceMayHaveAnEpochOfItsOwn) {
  const std::string record = osv("CVE-2024-38475", "AlmaLinux:9", "httpd", fixed_in("2.4.57-11.el9_4"));
  const auto packages = [](const std::string& version) {
    // What is read of mod_ssl's source has its epoch.
    return std::vector{rpm("mod_ssl", "1:" + version, "httpd", "1:" + version), rpm("httpd", version, "httpd", version)};
  };
  EXPECT_EQ(alma({record}, packages("2.4.57-8.el9")), Lines{"CVE-2024-38475 httpd 2.4.57-8.el9 affected_fixed 2.4.57-11.el9_4"});
  EXPECT_EQ(alma({record}, packages("2.4.57-11.el9_4")), Lines{"CVE-2024-38475 httpd 2.4.57-11.el9_4 not_affected -"});
  // Neither has the source's name: they disagree.
  const auto core = [](const std::string& version) {
    return std::vector{rpm("mod_ssl", "1:" + version, "httpd", "1:" + version), rpm("httpd-core", version, "httpd", version)};
  };
  EXPECT_EQ(alma({record}, core("2.4.57-8.el9")), Lines{"CVE-2024-38475 httpd 2.4.57-8.el9 affected_fixed 2.4.57-11.el9_4"});
}

TEST(RpmVersion, NameOfThePackageBeforeItIsTakenOff) {
  const auto line = [](const std::string& fixed, const std::string& installed) {
    return lines(findings({{FeedKind::osv, osv("MGASA-2024-0312", "Mageia:9", "gtk+2.0", fixed_in(fixed), R"("related":["CVE-2024-6655"])")}},
                          mageia9({rpm("gtk+2.0", installed, "gtk+2.0", installed)})));
  };
  EXPECT_EQ(line("gtk+2.0-2.24.33-5.1.mga9", "2.24.33-1.mga9"), Lines{"CVE-2024-6655 gtk+2.0 2.24.33-1.mga9 affected_fixed 2.24.33-5.1.mga9"});
  EXPECT_EQ(line("gtk+2.0-2.24.33-5.1.mga9", "2.24.33-5.1.mga9"), Lines{"CVE-2024-6655 gtk+2.0 2.24.33-5.1.mga9 not_affected -"});
  for (const char* fixed : {"gtk+2.0-2.24.33", "gtk+2.0-libs-2.24.33-5.1", "gtk+2.0-", "gtk2-2.24.33-5.1.mga9", "2.24.33-"}) {
    EXPECT_EQ(line(fixed, "2.24.33-9.mga9"), Lines{"CVE-2024-6655 gtk+2.0 2.24.33-9.mga9 under_investigation -"}) << fixed;
  }
}

}  // namespace
}  // namespace vmpatch::advisory::test
