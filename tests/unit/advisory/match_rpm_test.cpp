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

// Fixed versions

TEST(FixedVersion, IsOneThatTheSamePackageWasComparedWith) {
  const auto fixed_package = [](const char* name, const char* fixed) {
    return R"({"package":{"ecosystem":"AlmaLinux:9","name":")" + std::string(name) + "\"}," + fixed_in(fixed) + "}";
  };
  const auto record = [](const std::string& affected) {
    return R"({"id":"ALSA-2024:2394","modified":"2024-01-01T00:00:00Z","related":["CVE-2024-0003"],"affected":[)" + affected + "]}";
  };
  const auto bpftool = fixed_package("bpftool", "7.3.0-427.13.1.el9_4");
  const auto kernel = fixed_package("kernel", "5.14.0-427.13.1.el9_4") + "," + fixed_package("kernel-core", "5.14.0-427.13.1.el9_4");
  const std::vector installed{rpm("bpftool", "7.2.0-362.24.1.el9_3", "kernel", "5.14.0-362.24.1.el9_3"),
                              rpm("kernel-core", "5.14.0-362.24.1.el9_3", "kernel", "5.14.0-362.24.1.el9_3")};
  EXPECT_EQ(alma({record(bpftool + "," + kernel)}, installed), Lines{"CVE-2024-0003 kernel 5.14.0-362.24.1.el9_3 affected_fixed 5.14.0-427.13.1.el9_4"});
  EXPECT_EQ(alma({record(bpftool)}, installed), Lines{"CVE-2024-0003 kernel 7.2.0-362.24.1.el9_3 affected_fixed 7.3.0-427.13.1.el9_4"});
}

/// kernel-core is fixed for 9.3 and for 9.4.
Document two_fixes() {
  const std::string purl = "pkg:rpm/redhat/kernel-core@5.14.0-";
  return {{leaf("B93", "cpe:/o:redhat:enterprise_linux:9::baseos"), leaf("B94", "cpe:/o:redhat:enterprise_linux:9::baseos"),
           leaf("k3", purl + "362.24.1.el9_3?arch=x86_64"), leaf("k4", purl + "427.13.1.el9_4?arch=x86_64")},
          {combination("B93:k3", "k3", "B93"), combination("B94:k4", "k4", "B94")}, "fixed", {"B93:k3", "B94:k4"}};
}

TEST(FixedVersion, OfTheOwnMinorReleaseCountsOfSeveral) {
  const auto line = [](const std::string& release) {
    const std::string version = "5.14.0-" + release;
    const auto all = red_hat(two_fixes(), {rpm("kernel-core", version, "kernel", version)});
    const std::string start = "CVE-2022-36760 kernel " + version + " ";
    return all.size() == 1 && all[0].starts_with(start) ? all[0].substr(start.size()) : std::string("?");
  };
  EXPECT_EQ(line("362.24.1.el9_3"), "not_affected -");
  EXPECT_EQ(line("362.24.2.el9_3"), "not_affected -");
  EXPECT_EQ(line("362.18.1.el9_3"), "affected_fixed 5.14.0-362.24.1.el9_3");
  EXPECT_EQ(line("427.13.1.el9_4"), "not_affected -");
  EXPECT_EQ(line("503.1.1.el9_5"), "not_affected -");
  EXPECT_EQ(line("427.1.1.el9_4"), "affected_fixed 5.14.0-427.13.1.el9_4");
  EXPECT_EQ(line("400.el9"), "affected_fixed 5.14.0-427.13.1.el9_4");
}

// Module streams

std::string nodejs(const std::string& id, const std::string& fixed, const std::string& title) {
  return osv(id, "AlmaLinux:9", "nodejs", fixed_in(fixed), R"("related":["CVE-2024-22020"],"summary":")" + title + "\"");
}
const std::string nodejs_18 = nodejs("ALSA-2024:5815", "1:18.20.4-1.module_el9.4.0+1", "Moderate: nodejs:18 security update");
const std::string nodejs_20 = nodejs("ALSA-2024:5814", "1:20.16.0-1.module_el9.4.0+2", "Moderate: nodejs:20 security update");
const std::string label_18 = "nodejs:18:9040020240807131341:rhel9";

guest::Package nodejs(const std::string& version, const std::string& module = "") { return rpm("nodejs", version, "nodejs", version, module); }

TEST(OsvModule, ErratumIsAboutTheStreamInItsTitle) {
  EXPECT_EQ(alma({nodejs_18, nodejs_20}, {nodejs("1:18.20.4-1.module_el9.4.0+1", label_18)}),
            Lines{"CVE-2024-22020 nodejs 1:18.20.4-1.module_el9.4.0+1 not_affected -"});
  EXPECT_EQ(alma({nodejs_18, nodejs_20}, {nodejs("1:18.20.2-1.module_el9.4.0+1", label_18)}),
            Lines{"CVE-2024-22020 nodejs 1:18.20.2-1.module_el9.4.0+1 affected_fixed 1:18.20.4-1.module_el9.4.0+1"});
  EXPECT_EQ(alma({nodejs_20}, {nodejs("1:18.20.2-1.module_el9.4.0+1", label_18)}), Lines{});
}

TEST(OsvModule, ErratumSaysNothingOfAPackageThatNoModuleBuilt) {
  EXPECT_EQ(alma({nodejs_20}, {nodejs("1:16.20.2-8.el9_4")}), Lines{});
  EXPECT_EQ(alma({nodejs("ALSA-1", "1:20.16.0-1.module_el9.4.0+2", "nodejs update")}, {nodejs("1:16.20.2-8.el9_4")}), Lines{});
}

TEST(OsvModule, StreamThatIsNotToldIsUnderInvestigation) {
  const std::string untold = nodejs("ALSA-2024:5814", "1:20.16.0-1.module_el9.4.0+2", "Moderate: security update");
  const std::string line = "CVE-2024-22020 nodejs 1:18.20.4-1.module_el9.4.0+1 under_investigation -";
  EXPECT_EQ(alma({untold}, {nodejs("1:18.20.4-1.module_el9.4.0+1", label_18)}), Lines{line});
  EXPECT_EQ(alma({untold}, {nodejs("1:18.20.4-1.module_el9.4.0+1")}), Lines{line});
  EXPECT_EQ(alma({nodejs_18}, {nodejs("1:18.20.4-1.module_el9.4.0+1")}), Lines{line});
}

TEST(OsvModule, TitleMayNameSeveralStreams) {
  const std::string record = osv("ALSA-1", "AlmaLinux:9", "libvirt", fixed_in("8.0.0-23.module_el9+1"),
                                 R"("related":["CVE-2024-1000"],"summary":"Important: virt:rhel and virt-devel:rhel security update")");
  for (const char* label : {"virt:rhel:9:x", "virt-devel:rhel:9:x"}) {
    EXPECT_EQ(alma({record}, {rpm("libvirt", "8.0.0-22.module_el9+1", "libvirt", "8.0.0-22.module_el9+1", label)}),
              Lines{"CVE-2024-1000 libvirt 8.0.0-22.module_el9+1 affected_fixed 8.0.0-23.module_el9+1"}) << label;
  }
  EXPECT_EQ(alma({record}, {rpm("libvirt", "8.0.0-22.module_el9+1", "libvirt", "8.0.0-22.module_el9+1", "virt:8.1:9:x")}), Lines{});
}

TEST(OsvModule, ErratumWithoutAModuleSaysNothingOfAPackageOfAStream) {
  const std::string record = nodejs("ALSA-1", "1:16.20.2-8.el9_4", "Important: nodejs security update");
  EXPECT_EQ(alma({record}, {nodejs("1:18.20.4-1.module_el9.4.0+1", label_18)}), Lines{});
  EXPECT_EQ(alma({record}, {nodejs("1:18.20.4-1.module_el9.4.0+1")}), Lines{"CVE-2024-22020 nodejs 1:18.20.4-1.module_el9.4.0+1 under_investigation -"});
}

TEST(CsafModule, StatementWithoutAModuleSaysNothingOfAPackageOfAStream) {
  const std::string stream = "ruby:3.3:9040020240507:9";
  Document document({leaf("B", "cpe:/a:redhat:enterprise_linux:9::appstream"), leaf("r", "pkg:rpm/redhat/ruby?arch=src"),
                     leaf("m", "pkg:rpm/redhat/ruby@3.3.1-2.module%2Bel9.4.0?arch=x86_64&rpmmod=" + stream)},
                    {combination("B:r", "r", "B"), combination("B:m", "m", "B")}, "known_affected", {"B:r"});
  document.vulnerability["product_status"]["fixed"] = {"B:m"};
  const std::string version = "3.3.1-2.module+el9.4.0";
  EXPECT_EQ(red_hat(document, {rpm("ruby", version, "ruby", version, stream)}), Lines{"CVE-2022-36760 ruby " + version + " not_affected -"});
  EXPECT_EQ(red_hat(document, {rpm("ruby", version, "ruby", version)}), Lines{"CVE-2022-36760 ruby " + version + " under_investigation -"});
  EXPECT_EQ(red_hat(document, {rpm("ruby", "3.0.4-160.el9", "ruby", "3.0.4-160.el9")}), Lines{"CVE-2022-36760 ruby 3.0.4-160.el9 affected_unfixed -"});
  // A fix of the package that no module built.
  const Document fixed({leaf("B", "cpe:/a:redhat:enterprise_linux:9::appstream"), leaf("r", "pkg:rpm/redhat/ruby@3.0.4-160.el9?arch=x86_64")},
                       {combination("B:r", "r", "B")}, "fixed", {"B:r"});
  EXPECT_EQ(red_hat(fixed, {rpm("ruby", version, "ruby", version, stream)}), Lines{});
}

}  // namespace
}  // namespace vmpatch::advisory::test
