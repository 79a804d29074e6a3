// Product trees as vendors write them: nested relationships, SUSE's names and recommendations, module streams; and what is left out
// is counted exactly when a machine may need it.
#include <algorithm>
#include <chrono>

#include "advisory/rpm_name.hpp"
#include "unit/advisory/csaf_documents.hpp"
#include "unit/advisory/feeds.hpp"

namespace vmpatch::advisory::test {
namespace {

guest::Package rpm(const std::string& name, const std::string& version, const std::string& module = "") {
  auto made = package(name, version);
  made.module = module;
  return made;
}
guest::Facts rhel8(std::vector<guest::Package> packages) { return machine("rhel", "8.7", std::move(packages), "rpm"); }
guest::Facts sles(const std::string& version, std::vector<guest::Package> packages) { return machine("sles", version, std::move(packages), "rpm"); }

std::string covering(const guest::Facts& facts) {
  const bool suse = facts.os.id == "sles";
  return osv("X-1", suse ? "SUSE:Linux Enterprise Server " + facts.os.version_id : "Red Hat:enterprise_linux:8::baseos", "-", fixed_in("1"));
}

std::vector<Finding> found(const Document& document, const guest::Facts& facts) {
  return findings({{FeedKind::osv, covering(facts)}, {FeedKind::csaf, document.text()}}, facts);
}

FeedState state_of(const std::string& text, const guest::Facts& facts) {
  std::vector<FeedState> states;
  const Database loaded = database({{FeedKind::automatic, text}}, facts, &states);
  return states.empty() ? FeedState{} : states.front();
}

const std::string stream = "httpd:2.4:8070020230131172653:bd1311ed";
const std::string appstream = "cpe:/a:redhat:enterprise_linux:8::appstream";

Document nested(const std::string& status = "fixed") {
  return {{leaf("AppStream-8", appstream), leaf(stream, "pkg:rpmmod/redhat/httpd@2.4:8070020230131172653:bd1311ed"),
           leaf("httpd-51", "pkg:rpm/redhat/httpd@2.4.37-51.module%2Bel8.7.0?arch=x86_64")},
          {combination("AppStream-8:" + stream, stream, "AppStream-8"), combination("AppStream-8:" + stream + ":httpd", "httpd-51", "AppStream-8:" + stream)},
          status, {"AppStream-8:" + stream + ":httpd"}};
}

TEST(CsafTree, PackageOfAModuleOfAPlatformInAnyOrder) {
  Document document = nested();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(lines(found(document, rhel8({rpm("httpd", "2.4.37-47.module+el8", stream)}))),
              std::vector<std::string>{"CVE-2022-36760 httpd 2.4.37-47.module+el8 affected_fixed 2.4.37-51.module+el8.7.0"});
    EXPECT_EQ(state_of(document.text(), rhel8({rpm("httpd", "1-1")})).skipped, 0U);
    std::reverse(document.relationships.begin(), document.relationships.end());
  }
  // The other way of nesting: the package in the module, and both on the platform.
  document.relationships = {combination("m:httpd", "httpd-51", stream), combination("AppStream-8:" + stream + ":httpd", "m:httpd", "AppStream-8")};
  EXPECT_EQ(lines(found(document, rhel8({rpm("httpd", "2.4.37-51.module+el8.7.0", stream)}))),
            std::vector<std::string>{"CVE-2022-36760 httpd 2.4.37-51.module+el8.7.0 not_affected -"});
}

TEST(CsafTree, PackageOfAModuleOfAnotherReleaseSaysNothing) {
  Document document = nested();
  document.leaves[0] = leaf("AppStream-8", "cpe:/a:redhat:enterprise_linux:9::appstream");
  EXPECT_EQ(lines(found(document, rhel8({rpm("httpd", "2.4.37-47.module+el8", stream)}))), std::vector<std::string>{});
  document.leaves[0] = leaf("AppStream-8", "cpe:/a:redhat:rhel_eus:8.6::appstream");
  EXPECT_EQ(lines(found(document, rhel8({rpm("httpd", "2.4.37-47.module+el8", stream)}))), std::vector<std::string>{});
  EXPECT_EQ(state_of(document.text(), rhel8({rpm("httpd", "1-1")})).skipped, 0U);
}

TEST(CsafTree, CyclesAndReferencesToNothingAreSkippedAndCounted) {
  const auto facts = rhel8({rpm("httpd", "2.4.37-47")});
  const Json component = leaf("c", "pkg:rpm/redhat/httpd@2.4.37-51");
  const Json platform = leaf("p", appstream);
  std::vector<Json> doubling{combination("r0", "c", "p")};
  for (int i = 1; i < 40; ++i) {
    const std::string before = fmt::format("r{}", i - 1);
    doubling.push_back(combination(fmt::format("r{}", i), before, before));
  }
  const std::pair<std::vector<Json>, std::string> rows[] = {
      {{combination("a", "c", "a")}, "a"},
      {{combination("a", "a", "p")}, "a"},
      {{combination("a", "c", "b"), combination("b", "c", "a")}, "b"},
      {{combination("a", "c", "nowhere")}, "a"},
      {{combination("a", "nothing", "p")}, "a"},
      {{}, "p:c"},
      {doubling, "r39"},
  };
  for (const auto& [combinations, id] : rows) {
    const auto state = state_of(Document({component, platform}, combinations, "fixed", {id}).text(), facts);
    EXPECT_EQ(state.skipped, 1U) << id;
    EXPECT_EQ(state.relevant, 0U) << id;
  }
}

TEST(CsafTree, OneSkippedProductCountsItsVulnerabilityOnce) {
  Document document = nested();
  for (const char* id : {"nowhere", "nothing"}) document.vulnerability["product_status"]["fixed"].push_back(id);
  const auto state = state_of(document.text(), rhel8({rpm("httpd", "2.4.37-47")}));
  EXPECT_EQ(state.records, 1U);
  EXPECT_EQ(state.relevant, 1U);
  EXPECT_EQ(state.skipped, 1U);
  ASSERT_EQ(state.problems.size(), 1U);
  EXPECT_EQ(state.problems[0], "RHSA-1 vulnerability 1: the product 'nowhere' is not understood");
}

TEST(CsafTree, WhatIsAboutSomethingElseDoesNotCount) {
  const auto facts = rhel8({rpm("httpd", "2.4.37-47")});
  const auto skipped = [&](const Json& component, const Json& base) {
    return state_of(Document({component, base}, {combination("b:c", component["product"]["product_id"], "b")}, "known_affected", {"b:c"}).text(), facts).skipped;
  };
  const Json platform = leaf("b", appstream);
  EXPECT_EQ(skipped(leaf("httpd", "pkg:rpm/redhat/httpd"), platform), 0U);
  EXPECT_EQ(skipped(leaf("httpd", "pkg:npm/httpd"), platform), 0U);
  EXPECT_EQ(skipped(leaf("httpd", "pkg:oci/httpd@sha256:1"), platform), 0U);
  EXPECT_EQ(skipped(leaf("httpd", "pkg:deb/debian/httpd"), platform), 0U);
  EXPECT_EQ(skipped(leaf("httpd", "pkg:rpm/redhat/httpd"), leaf("b", "cpe:/a:redhat:jboss_core_services:1")), 0U);
  EXPECT_EQ(skipped(leaf("httpd", "pkg:rpm/redhat/httpd"), leaf("b", "pkg:oci/ubi8@sha256:1")), 0U);
  EXPECT_EQ(skipped(leaf("httpd", "pkg:rpm/redhat/httpd"), leaf("b", "", "Big Appliance 7")), 0U);
  EXPECT_EQ(skipped(leaf("SIMATIC S7", ""), leaf("b", "", "Plant 1")), 0U);
  EXPECT_EQ(skipped(leaf("a b", "", "some other thing"), platform), 0U);
  // May be ours.
  EXPECT_EQ(skipped(leaf("httpd", "pkg:rpm"), platform), 1U);
  EXPECT_EQ(skipped(leaf("httpd", "pkg:rpm/rocky/httpd"), leaf("b", "", "Rocky Linux, the ninth")), 1U);
  EXPECT_EQ(skipped(leaf("x", "", "httpd 2.4, all builds"), platform), 1U);
  EXPECT_EQ(skipped(leaf("x", "", "httpd-2.4"), platform), 1U);
  EXPECT_EQ(skipped(leaf("x", "pkg:rpmmod/redhat/httpd@2.4"), platform), 1U);
}

TEST(CsafTree, VulnerabilityWithoutANameCountsOnlyWhenItConcernsAMachine) {
  Document document = nested();
  document.vulnerability.erase("cve");
  EXPECT_EQ(state_of(document.text(), rhel8({rpm("httpd", "1-1")})).skipped, 1U);
  EXPECT_EQ(state_of(document.text(), rhel8({rpm("nginx", "1-1")})).skipped, 0U);
}

// SUSE

const std::string fixed_openssl = "libopenssl1_1-1.1.1l-150500.17.25.1.x86_64";

Document suse(const std::string& cpe, const std::string& status, const std::string& helper, const std::string& package_name = fixed_openssl) {
  Document document({leaf("P", cpe), leaf(package_name, helper)}, {combination("P:" + package_name, package_name, "P")}, status, {"P:" + package_name});
  document.vulnerability["remediations"] = {{{"category", "vendor_fix"}, {"details", "zypper patch"}, {"product_ids", {"P:" + package_name}}}};
  return document;
}

const guest::Facts old_openssl = sles("15.5", {rpm("libopenssl1_1", "1.1.1l-150500.17.19.1")});
const std::vector<std::string> openssl_fixed{"CVE-2022-36760 libopenssl1_1 1.1.1l-150500.17.19.1 affected_fixed 1.1.1l-150500.17.25.1"};

TEST(Suse, RecommendedIsTheFixWhereARemediationSaysSo) {
  const std::string purl = "pkg:rpm/suse/libopenssl1_1@1.1.1l-150500.17.25.1?arch=x86_64";
  Document document = suse("cpe:/o:suse:sles:15:sp5", "recommended", purl);
  EXPECT_EQ(lines(found(document, old_openssl)), openssl_fixed);
  EXPECT_EQ(lines(found(document, sles("15.5", {rpm("libopenssl1_1", "1.1.1l-150500.17.25.1")}))),
            std::vector<std::string>{"CVE-2022-36760 libopenssl1_1 1.1.1l-150500.17.25.1 not_affected -"});
  document.vulnerability["remediations"][0]["category"] = "workaround";
  EXPECT_EQ(lines(found(document, old_openssl)), std::vector<std::string>{"CVE-2022-36760 libopenssl1_1 1.1.1l-150500.17.19.1 under_investigation -"});
  document.vulnerability["product_status"]["known_affected"] = document.vulnerability["product_status"]["recommended"];
  document.vulnerability["product_status"]["recommended"] = Json::array();
  EXPECT_EQ(lines(found(document, old_openssl)), std::vector<std::string>{});  // another version is affected
}

TEST(Suse, ModulesAndOlderNamesOfTheServer) {
  for (const char* cpe : {"cpe:/o:suse:sle-module-basesystem:15:sp5", "cpe:/o:suse:sles:15:sp5", "cpe:/o:suse:suse_sles:15:sp5",
                          "cpe:/o:suse:suse_sles_ltss:15:sp5", "cpe:/o:suse:sles-ltss:15:sp5"}) {
    EXPECT_EQ(lines(found(suse(cpe, "recommended", ""), old_openssl)), openssl_fixed) << cpe;
  }
  for (const char* cpe : {"cpe:/o:suse:sle-module-basesystem:15:sp4", "cpe:/o:suse:sles_sap:15:sp5", "cpe:/o:suse:sle-module-basesystem:15"}) {
    EXPECT_EQ(lines(found(suse(cpe, "recommended", ""), old_openssl)), std::vector<std::string>{}) << cpe;
  }
}

TEST(Suse, ModulesOf12BelongToEveryServicePack) {
  const Document document = suse("cpe:/o:suse:sle-module-web-scripting:12", "recommended", "", "php72-7.2.5-1.98.1.x86_64");
  for (const char* version : {"12", "12.2", "12.5"}) {
    EXPECT_EQ(lines(found(document, sles(version, {rpm("php72", "7.2.5-1.90.1")}))),
              std::vector<std::string>{"CVE-2022-36760 php72 7.2.5-1.90.1 affected_fixed 7.2.5-1.98.1"}) << version;
  }
  const auto fifteen = sles("15.5", {rpm("php72", "7.2.5-1.90.1")});
  EXPECT_EQ(lines(found(document, fifteen)), std::vector<std::string>{});
  EXPECT_FALSE(database({{FeedKind::csaf, document.text()}}, fifteen).match(fifteen).has_value());
  const Document server = suse("cpe:/o:suse:sles:12", "recommended", "", "php72-7.2.5-1.98.1.x86_64");
  EXPECT_EQ(lines(found(server, sles("12.5", {rpm("php72", "7.2.5-1.90.1")}))), std::vector<std::string>{});
}

TEST(Suse, PackagesAreNamedWithoutAPackageUrl) {
  EXPECT_EQ(lines(found(suse("cpe:/o:suse:sles:15:sp5", "recommended", ""), old_openssl)), openssl_fixed);
  // A name alone, and what becomes of it as a package URL of SUSE.
  const auto gtk = sles("15.5", {rpm("libjavascriptcoregtk-4_0-18", "2.40-150400.4.1")});
  for (const char* purl : {"", "pkg:rpm/suse/libjavascriptcoregtk@4_0-18"}) {
    EXPECT_EQ(lines(found(suse("cpe:/o:suse:sles:15:sp5", "known_affected", purl, "libjavascriptcoregtk-4_0-18"), gtk)),
              std::vector<std::string>{"CVE-2022-36760 libjavascriptcoregtk-4_0-18 2.40-150400.4.1 affected_unfixed -"}) << purl;
  }
  // Where no platform is told, nothing says whose package it is.
  const Document bare({leaf(fixed_openssl, "")}, {}, "recommended", {fixed_openssl});
  EXPECT_EQ(state_of(bare.text(), old_openssl).skipped, 1U);
  EXPECT_EQ(state_of(bare.text(), sles("15.5", {rpm("nginx", "1-1")})).skipped, 0U);
}

TEST(Suse, SourcePackageThatStayedAffectedYieldsToTheFixesOfItsPackages) {
  const auto machine_with = [](const std::string& version) {
    return sles("12.4", {package("libpcre1", version, "pcre"), package("pcre-tools", version, "pcre")});
  };
  Document document = suse("cpe:/o:suse:sles:12:sp4", "recommended", "", "libpcre1-8.39-8.3.1");
  document.leaves.push_back(leaf("pcre", ""));
  document.relationships.push_back(combination("P:pcre", "pcre", "P"));
  document.vulnerability["product_status"]["known_affected"] = {"P:pcre"};
  EXPECT_EQ(lines(found(document, machine_with("8.45-8.7.1"))), std::vector<std::string>{"CVE-2022-36760 pcre 8.45-8.7.1 not_affected -"});
  EXPECT_EQ(lines(found(document, machine_with("8.33-1.1"))), std::vector<std::string>{"CVE-2022-36760 pcre 8.33-1.1 affected_fixed 8.39-8.3.1"});
  document.vulnerability["product_status"].erase("recommended");
  EXPECT_EQ(lines(found(document, machine_with("8.45-8.7.1"))), std::vector<std::string>{"CVE-2022-36760 pcre 8.45-8.7.1 affected_unfixed -"});
}

TEST(Suse, PackageWithTheNameOfTheSourceStaysAffected) {
  Document document = suse("cpe:/o:suse:sles:15:sp5", "recommended", "", "libfoo1-0.9-150500.1.1.x86_64");
  document.leaves.push_back(leaf("foo", ""));
  document.relationships.push_back(combination("P:foo", "foo", "P"));
  document.vulnerability["product_status"]["known_affected"] = {"P:foo"};
  const auto both = sles("15.5", {package("foo", "1.0-1", "foo"), package("libfoo1", "1.0-1", "foo")});
  EXPECT_EQ(lines(found(document, both)), std::vector<std::string>{"CVE-2022-36760 foo 1.0-1 affected_unfixed -"});
  EXPECT_EQ(lines(found(document, sles("15.5", {package("libfoo1", "1.0-1", "foo")}))), std::vector<std::string>{"CVE-2022-36760 foo 1.0-1 not_affected -"});
  // The document knows a fix of that name.
  const std::string fixed = "foo-0.9-150500.1.1.x86_64";
  document.leaves.push_back(leaf(fixed, ""));
  document.relationships.push_back(combination("P:" + fixed, fixed, "P"));
  document.vulnerability["product_status"]["recommended"].push_back("P:" + fixed);
  document.vulnerability["remediations"][0]["product_ids"].push_back("P:" + fixed);
  EXPECT_EQ(lines(found(document, both)), std::vector<std::string>{"CVE-2022-36760 foo 1.0-1 not_affected -"});
}

TEST(RpmName, Parts) {
  const auto parts = [](std::string_view text) {
    const auto name = parse_rpm_name(text);
    return name ? name->name + "|" + name->version + "|" + name->arch : std::string("-");
  };
  const std::pair<const char*, const char*> rows[] = {
      {"libopenssl1_1-1.1.1l-150500.17.25.1.x86_64", "libopenssl1_1|1.1.1l-150500.17.25.1|x86_64"},
      {"httpd-0:2.4.37-51.module+el8.7.0.src", "httpd|0:2.4.37-51.module+el8.7.0|src"},
      {"libcurl4-32bit-8.0.1-11.105.1", "libcurl4-32bit|8.0.1-11.105.1|"},
      {"kernel-default-5.14.21-150500.55.x86_64", "kernel-default|5.14.21-150500.55|x86_64"},
      {"perl-Foo-1-2.noarch", "perl-Foo|1-2|noarch"},
      {"curl", "curl||"},
      {"openssl-1_0_0", "openssl-1_0_0||"},
      {"java-1.8.0-openjdk.src", "java-1.8.0-openjdk||src"},
      {"libjavascriptcoregtk-4_0-18", "libjavascriptcoregtk-4_0-18||"},
      {"kernel-5.14.0", "-"}, {"", "-"}, {"a b-1-2.x86_64", "-"}, {"-1-2.x86_64", "-"}, {"a/b", "-"}, {"x-:1-2.x86_64", "-"}, {"SLES:curl", "-"}};
  for (const auto& [text, expected] : rows) EXPECT_EQ(parts(text), expected) << text;
  EXPECT_EQ(parts(std::string(100'000, 'x')), "-");
}

// Module streams of rpm

TEST(ModuleStream, LabelOfThePackageDecides) {
  const auto line = [](const std::string& status, const std::string& version, const std::string& module) {
    const auto all = found(nested(status), rhel8({rpm("httpd", version, module)}));
    return all.empty() ? std::string() : std::string(status_word(all[0].status)) + ": " + all[0].reason;
  };
  EXPECT_EQ(line("fixed", "2.4.37-47", stream), "affected_fixed: 2.4.37-47 is lower than 2.4.37-51.module+el8.7.0");
  EXPECT_EQ(line("fixed", "2.4.37-60", stream), "not_affected: fixed since 2.4.37-51.module+el8.7.0");
  EXPECT_EQ(line("fixed", "2.4.37-47", "httpd:3:1:x"), "");
  EXPECT_EQ(line("fixed", "2.4.37-47", ""), "");
  EXPECT_EQ(line("fixed", "2.4.37-47.module_el8", ""),
            "under_investigation: affected if it is of the module stream httpd:2.4, which the machine's package database does not tell");
  EXPECT_EQ(line("fixed", "2.4.37-60.module+el8", ""),
            "under_investigation: not affected if it is of the module stream httpd:2.4, which the machine's package database does not tell");
}

TEST(ModuleStream, PackagesOfOneSourceAreJudgedEachByItsOwn) {
  const auto all = found(nested(), rhel8({rpm("httpd", "2.4.37-47", "httpd:3:1:x"), rpm("httpd", "2.4.37-47", stream)}));
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].status, Status::affected_fixed);
  EXPECT_EQ(all[0].binaries.size(), 1U);
}

// Red Hat's components without a fix

/// What a document says of `installed` that calls one component on RHEL 8 affected; "skipped" when it was not understood.
std::vector<std::string> affected_on_rhel8(const std::string& id, const std::string& helper, const guest::Package& installed) {
  const auto facts = rhel8({installed});
  const Document document({leaf("p", "cpe:/o:redhat:enterprise_linux:8"), leaf(id, helper)}, {combination("p:" + id, id, "p")}, "known_affected", {"p:" + id});
  if (state_of(document.text(), facts).skipped > 0) return {"skipped"};
  return lines(found(document, facts));
}

TEST(RedHat, AffectedComponentHasNoVersion) {
  const std::vector<std::string> open{"CVE-2022-36760 go-toolset 1.20-1 affected_unfixed -"};
  const auto plain = rpm("go-toolset", "1.20-1");
  const auto go = rpm("go-toolset", "1.20-1", "go-toolset:rhel8:8080:x");
  EXPECT_EQ(affected_on_rhel8("go", "pkg:rpm/redhat/go-toolset@rhel8?arch=src&rpmmod=go-toolset:rhel8", go), open);
  EXPECT_EQ(affected_on_rhel8("go", "pkg:rpm/redhat/go-toolset@1.19-5.el8dsrv?arch=src", plain), open);
  EXPECT_EQ(affected_on_rhel8("go", "pkg:rpm/redhat/go-toolset@1.19-5.el8dsrv?arch=src", go), std::vector<std::string>{});
  EXPECT_EQ(affected_on_rhel8("go", "pkg:generic/go-toolset@1.19-5", go), std::vector<std::string>{});
  // A fix rules.
  Document document({leaf("p", "cpe:/o:redhat:enterprise_linux:8"), leaf("a", "pkg:rpm/redhat/httpd@2.4.30-1?arch=src"), leaf("f", "pkg:rpm/redhat/httpd@2.4.37-5?arch=src")},
                    {combination("p:a", "a", "p"), combination("p:f", "f", "p")}, "known_affected", {"p:a"});
  document.vulnerability["product_status"]["fixed"] = {"p:f"};
  EXPECT_EQ(lines(found(document, rhel8({rpm("httpd", "2.4.37-5")}))), std::vector<std::string>{"CVE-2022-36760 httpd 2.4.37-5 not_affected -"});
  EXPECT_EQ(lines(found(document, rhel8({rpm("httpd", "2.4.37-4")}))), std::vector<std::string>{"CVE-2022-36760 httpd 2.4.37-4 affected_fixed 2.4.37-5"});
}

TEST(RedHat, PackageInAModuleStream) {
  const std::vector<std::string> open{"CVE-2022-36760 ruby 2.6.10-1 affected_unfixed -"};
  for (const char* purl : {"pkg:rpmmod/redhat/ruby:2.6/ruby", "pkg:rpmmod/redhat/ruby%3A2.6/ruby", ""}) {
    EXPECT_EQ(affected_on_rhel8("ruby:2.6/ruby", purl, rpm("ruby", "2.6.10-1", "ruby:2.6:8080:x")), open) << purl;
    EXPECT_EQ(affected_on_rhel8("ruby:2.6/ruby", purl, rpm("ruby", "2.6.10-1", "ruby:3.1:8080:x")), std::vector<std::string>{}) << purl;
  }
  EXPECT_EQ(affected_on_rhel8("ruby:2.6", "pkg:rpmmod/redhat/ruby:2.6", rpm("ruby", "2.6.10-1", "ruby:2.6:8080:x")), std::vector<std::string>{"skipped"});
}

TEST(RedHat, ModuleIsMissedThoughAnotherReleaseHasThePackage) {
  const Json module = leaf("ruby:2.6", "pkg:rpmmod/redhat/ruby:2.6");
  const auto skipped = [&](const std::string& release) {
    const Document document({leaf("8", "cpe:/o:redhat:enterprise_linux:8"), leaf("x", "cpe:/o:redhat:enterprise_linux:" + release), module, leaf("ruby", "pkg:rpm/redhat/ruby?arch=src")},
                            {combination("8:ruby:2.6", "ruby:2.6", "8"), combination("x:ruby", "ruby", "x")}, "known_affected", {"8:ruby:2.6", "x:ruby"});
    return state_of(document.text(), rhel8({rpm("ruby", "2.6.10-1", "ruby:2.6:8080:x")})).skipped;
  };
  EXPECT_EQ(skipped("9"), 1U);
  EXPECT_EQ(skipped("8"), 0U);
}

TEST(RedHat, ContainerImageIsNoPackage) {
  const auto httpd = rpm("httpd-24", "2.4.37-4");
  EXPECT_EQ(affected_on_rhel8("rhel8/httpd-24", "", httpd), std::vector<std::string>{});
  EXPECT_EQ(affected_on_rhel8("ubi9/httpd-24:1-5", "", httpd), std::vector<std::string>{});
  EXPECT_EQ(affected_on_rhel8("httpd-24 / all builds", "", httpd), std::vector<std::string>{"skipped"});
}

TEST(CsafTree, PuzzlesOfManyVulnerabilitiesTakeNoTime) {
  const std::string id = "p:" + std::string(200, '-') + " x";
  std::string name;
  for (int i = 0; i < 250; ++i) name += "a-";
  Document document({leaf("p", appstream), leaf(id, "", name + " x")}, {}, "known_affected", std::vector<std::string>(2'000, id));
  Json all = Json::parse(document.text());
  all["vulnerabilities"] = Json::array();
  for (int i = 0; i < 100; ++i) all["vulnerabilities"].push_back(document.vulnerability);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(state_of(dump_json(all), rhel8({rpm("httpd", "1-1")})).skipped, 0U);
  // Asking for each of the 200,000 mentions takes minutes.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

// OSV: what is left out

TEST(OsvSkipped, RecordThatNamesAnInstalledPackageAndNoVersions) {
  const auto facts = debian12({package("openssl", "3.0.9-1")});
  const auto skipped = [&](const std::string& ecosystem, const std::string& name, const std::string& affected, const std::string& rest = "") {
    return state_of(osv("CVE-2024-1111", ecosystem, name, affected, rest), facts).skipped;
  };
  const std::string semver = R"("ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"9.0.0"}]}])";
  const std::string git = R"("ranges":[{"type":"GIT","repo":"x","events":[{"introduced":"0"}]}])";
  for (const std::string& affected : {std::string(R"("ranges":[])"), std::string(R"("versions":[])"), semver, git}) {
    EXPECT_EQ(skipped("Debian:12", "openssl", affected), 1U) << affected;
    EXPECT_EQ(skipped("Debian:12", "nginx", affected), 0U) << affected;
    EXPECT_EQ(skipped("crates.io", "openssl", affected), 0U) << affected;
    EXPECT_EQ(skipped("Debian:12", "openssl", affected, R"("withdrawn":"2026-01-01T00:00:00Z")"), 0U) << affected;
  }
  EXPECT_EQ(skipped("", "openssl", fixed_in("9")), 1U);
  EXPECT_EQ(skipped("Debian:12", "openssl", fixed_in("9")), 0U);
}

TEST(OsvSkipped, BrokenRecordOfAnotherEcosystemDoesNotCount) {
  const auto facts = debian12({package("openssl", "3.0.9-1")});
  const auto skipped = [&](const std::string& record, const std::string& ecosystem) {
    std::string text = record;
    text.replace(text.find("ECO"), 3, ecosystem);
    return state_of("[" + text + "]", facts).skipped;
  };
  for (const char* record : {R"({"id":"","affected":[{"package":{"ecosystem":"ECO","name":"openssl"},"versions":["1"]}]})",
                             R"({"id":"CVE-2024-1111","affected":{"package":{"ecosystem":"ECO","name":"openssl"}}})",
                             R"({"id":"CVE-2024-1111","affected":[{"package":{"ecosystem":"ECO","name":"openssl"}}],"x":1e999999})",
                             R"([{"ecosystem":"ECO","name":"openssl"}])"}) {
    EXPECT_EQ(skipped(record, "Debian:12"), 1U) << record;
    EXPECT_EQ(skipped(record, "npm"), 0U) << record;
  }
}

TEST(TrackerSkipped, PackageThatIsNoObject) {
  const auto facts = debian12({package("openssl", "3.0.9-1")});
  const std::string rest = R"("nginx":{"CVE-2024-0001":{"releases":{}}})";
  EXPECT_EQ(state_of(R"({"openssl":null,)" + rest + "}", facts).skipped, 1U);
  EXPECT_EQ(state_of(R"({"openssl":[1],)" + rest + "}", facts).skipped, 1U);
  EXPECT_EQ(state_of(R"({"apache2":null,)" + rest + "}", facts).skipped, 0U);
}

}  // namespace
}  // namespace vmpatch::advisory::test
