// Distributions as ecosystems, package URLs, CPEs and os-release name them; package URLs; version ranges.
#include <gtest/gtest.h>

#include <tuple>

#include "advisory/distribution.hpp"
#include "advisory/purl.hpp"
#include "advisory/vers.hpp"

namespace vmpatch::advisory {
namespace {

std::string shown(const std::optional<Scope>& scope) { return scope ? describe(*scope) : "-"; }

TEST(Distribution, Ecosystems) {
  const std::pair<const char*, const char*> rows[] = {
      {"Debian", "Debian"}, {"Debian:12", "Debian 12"}, {"Debian:sid", "Debian sid"}, {"Ubuntu:22.04:LTS", "Ubuntu 22.04"},
      {"Ubuntu:23.10", "Ubuntu 23.10"}, {"Ubuntu:Pro:16.04:LTS", "Ubuntu 16.04"}, {"Ubuntu:Pro:FIPS:16.04:LTS", "-"},
      {"Alpine:v3.18", "Alpine 3.18"}, {"Alpine:edge", "Alpine edge"}, {"AlmaLinux:9", "AlmaLinux 9"}, {"Rocky Linux:8.7", "Rocky Linux 8"},
      {"Red Hat:enterprise_linux:9::baseos", "Red Hat Enterprise Linux 9"}, {"Red Hat:rhel_aus:8.4::appstream", "-"},
      {"openSUSE:Leap 15.5", "openSUSE leap 15.5"}, {"SUSE:Linux Enterprise Server 15 SP5", "SUSE 15.5"},
      {"SUSE:Linux Enterprise Module for Basesystem 15 SP5", "SUSE 15.5"}, {"SUSE:Linux Enterprise Server 15 SP5-LTSS", "SUSE 15.5"},
      {"SUSE:Linux Enterprise Server for SAP Applications 15 SP5", "-"},
      {"SUSE:Manager Server 4.3", "-"}, {"Wolfi", "Wolfi"}, {"PyPI", "-"}, {"", "-"}, {":", "-"}, {"debian:12", "-"}};
  for (const auto& [ecosystem, expected] : rows) EXPECT_EQ(shown(scope_of_ecosystem(ecosystem)), expected) << ecosystem;
}

TEST(Distribution, Machines) {
  const auto machine = [](const char* id, const char* version, const char* pretty = "", const char* codename = "") {
    return shown(scope_of_machine({id, version, pretty, codename}));
  };
  EXPECT_EQ(machine("debian", "12", "", "bookworm"), "Debian 12");
  EXPECT_EQ(machine("debian", "", "", "trixie"), "Debian 13");
  EXPECT_EQ(machine("debian", ""), "Debian sid");
  EXPECT_EQ(machine("ubuntu", "22.04"), "Ubuntu 22.04");
  EXPECT_EQ(machine("alpine", "3.18.4"), "Alpine 3.18");
  EXPECT_EQ(machine("alpine", "3.21_alpha20240923"), "Alpine edge");
  EXPECT_EQ(machine("almalinux", "9.3"), "AlmaLinux 9");
  EXPECT_EQ(machine("rhel", "9.3"), "Red Hat Enterprise Linux 9");
  EXPECT_EQ(machine("opensuse-leap", "15.5", "openSUSE Leap 15.5"), "openSUSE leap 15.5");
  EXPECT_EQ(machine("opensuse-tumbleweed", "20260101", "openSUSE Tumbleweed"), "openSUSE tumbleweed");
  EXPECT_EQ(machine("sles", "15.5", "SUSE Linux Enterprise Server 15 SP5"), "SUSE 15.5");
  EXPECT_EQ(machine("openEuler", "22.03", "openEuler 22.03 (LTS-SP1)"), "openEuler 22.03-lts-sp1");
  EXPECT_EQ(machine("arch", ""), "Arch Linux");
  EXPECT_EQ(machine("haiku", "1"), "-");
}

TEST(Distribution, CpesNamesAndPackageUrls) {
  EXPECT_EQ(shown(scope_of_cpe("cpe:/o:redhat:enterprise_linux:9::baseos")), "Red Hat Enterprise Linux 9");
  EXPECT_EQ(shown(scope_of_cpe("cpe:/a:redhat:enterprise_linux:9::appstream")), "Red Hat Enterprise Linux 9");
  EXPECT_EQ(shown(scope_of_cpe("cpe:/a:redhat:openshift:4.6::el8")), "-");
  EXPECT_EQ(shown(scope_of_cpe("cpe:2.3:o:debian:debian_linux:12.0:*:*:*:*:*:*:*")), "Debian 12");
  EXPECT_EQ(shown(scope_of_cpe("cpe:/o:suse:sles:15:sp5")), "SUSE 15.5");
  EXPECT_EQ(shown(scope_of_cpe("cpe:/o:suse:sles-ltss:15:sp3")), "SUSE 15.3");
  EXPECT_EQ(shown(scope_of_cpe("cpe:2.3:o:debian:debian_linux:*:*:*:*:*:*:*:*")), "Debian");
  EXPECT_EQ(shown(scope_of_cpe("nonsense")), "-");
  EXPECT_EQ(shown(scope_of_name("Debian GNU/Linux 12 (bookworm)")), "Debian 12");
  EXPECT_EQ(shown(scope_of_name("Red Hat Enterprise Linux 9")), "Red Hat Enterprise Linux 9");
  EXPECT_EQ(shown(scope_of_name("Red Hat Enterprise Linux 9.2 Extended Update Support")), "-");
  EXPECT_EQ(shown(scope_of_name("SUSE Linux Enterprise Server 15 SP5")), "SUSE 15.5");
  EXPECT_EQ(shown(scope_of_name("ACME Appliance 12")), "-");
  EXPECT_EQ(shown(scope_of_purl("deb", "debian", "debian-12")), "Debian 12");
  EXPECT_EQ(shown(scope_of_purl("deb", "debian", "bookworm")), "Debian 12");
  EXPECT_EQ(shown(scope_of_purl("rpm", "redhat", "rhel-9.3")), "Red Hat Enterprise Linux 9");
  EXPECT_EQ(shown(scope_of_purl("rpm", "opensuse", "opensuse-leap-15.5")), "openSUSE leap 15.5");
  EXPECT_EQ(shown(scope_of_purl("apk", "alpine", "alpine-3.18.4")), "Alpine 3.18");
  EXPECT_EQ(shown(scope_of_purl("generic", "", "")), "any distribution");
  EXPECT_EQ(shown(scope_of_purl("npm", "", "")), "-");
}

TEST(Distribution, ReleasesOfUbuntu) {
  const std::pair<const char*, const char*> archives[] = {
      {"jammy", "Ubuntu 22.04"}, {"ubuntu-22.04", "Ubuntu 22.04"}, {"ubuntu-jammy", "Ubuntu 22.04"}, {"22.04.3", "Ubuntu 22.04"},
      {"esm-infra/xenial", "Ubuntu 16.04"}, {"esm-apps/noble", "Ubuntu 24.04"}, {"esm-infra-legacy/trusty", "Ubuntu 14.04"},
      {"trusty/esm", "Ubuntu 14.04"}, {"fips/jammy", "-"}, {"fips-updates/noble", "-"}, {"realtime/jammy", "-"}, {"", "Ubuntu"}};
  for (const auto& [distro, expected] : archives) EXPECT_EQ(shown(scope_of_purl("deb", "ubuntu", distro)), expected) << distro;
  for (const char* name : {"Ubuntu 22.04.3 LTS", "Ubuntu 22.04 LTS (Jammy Jellyfish)", "Ubuntu Jammy", "Ubuntu 22.04"}) {
    EXPECT_EQ(shown(scope_of_name(name)), "Ubuntu 22.04") << name;
  }
  EXPECT_EQ(shown(scope_of_name("Debian bookworm")), "Debian 12");
  EXPECT_EQ(shown(scope_of_name("Ubuntu Pro FIPS 22.04 LTS")), "-");
  EXPECT_EQ(shown(scope_of_cpe("cpe:/o:canonical:ubuntu_linux:22.04.3:*:*:*:lts")), "Ubuntu 22.04");
}

TEST(Distribution, ReleasesThatAreWrittenInAKnownWay) {
  for (const auto& [type, space, distro] : {std::tuple("deb", "ubuntu", "jammy"), std::tuple("deb", "debian", "sid"), std::tuple("deb", "debian", ""),
                                            std::tuple("rpm", "redhat", "el9"), std::tuple("rpm", "redhat", "rhel-9.3"), std::tuple("apk", "alpine", "edge"),
                                            std::tuple("rpm", "opensuse", "opensuse-leap-15.5"), std::tuple("rpm", "openeuler", "openEuler-22.03-LTS-SP1")}) {
    EXPECT_TRUE(is_known_release(scope_of_purl(type, space, distro).value())) << distro;
  }
  for (const auto& [type, space, distro] : {std::tuple("deb", "ubuntu", "jolly"), std::tuple("deb", "ubuntu", "jammy/new"), std::tuple("deb", "debian", "twelve"),
                                            std::tuple("rpm", "redhat", "rhel-9-eus"), std::tuple("rpm", "opensuse", "factory")}) {
    EXPECT_FALSE(is_known_release(scope_of_purl(type, space, distro).value())) << distro;
  }
}

TEST(Distribution, GeneralPackageUrlsFitThePackageManager) {
  const std::tuple<const char*, Distribution, bool> rows[] = {
      {"generic", Distribution::debian, true}, {"generic", Distribution::redhat, true}, {"deb", Distribution::debian, true},
      {"deb", Distribution::ubuntu, true}, {"deb", Distribution::redhat, false}, {"rpm", Distribution::redhat, true},
      {"rpm", Distribution::debian, false}, {"apk", Distribution::alpine, true}, {"apk", Distribution::debian, false},
      {"alpm", Distribution::arch, true}, {"alpm", Distribution::debian, false}};
  for (const auto& [type, machine, expected] : rows) {
    const auto scope = scope_of_purl(type, "", "");
    ASSERT_TRUE(scope.has_value()) << type;
    EXPECT_TRUE(is_general(scope->distribution)) << type;
    EXPECT_EQ(fits(scope->distribution, machine), expected) << type << ' ' << package_manager_of(machine);
  }
  EXPECT_FALSE(fits(Distribution::ubuntu, Distribution::debian));
}

TEST(PackageUrl, Parts) {
  const auto purl = parse_purl("pkg:RPM/redhat/openssl-libs@1%3A3.0.7-25.el9_3?arch=x86_64&epoch=1&distro=rhel%2d9#sub/path");
  ASSERT_TRUE(purl.has_value());
  EXPECT_EQ(purl->type, "rpm");
  EXPECT_EQ(purl->name_space, "redhat");
  EXPECT_EQ(purl->name, "openssl-libs");
  EXPECT_EQ(purl->version, "1:3.0.7-25.el9_3");
  EXPECT_EQ(purl->qualifier("arch"), "x86_64");
  EXPECT_EQ(purl->qualifier("distro"), "rhel-9");
  EXPECT_EQ(purl->qualifier("none"), "");
  const auto bare = parse_purl("pkg:generic/libstdc%2b%2b6");
  ASSERT_TRUE(bare.has_value());
  EXPECT_EQ(bare->name, "libstdc++6");
  EXPECT_EQ(bare->version, "");
}

TEST(PackageUrl, WhatIsNone) {
  for (const char* text : {"", "pkg:", "pkg:deb", "pkg:deb/", "pkg://", "deb/debian/x", "pkg:/x"}) {
    EXPECT_FALSE(parse_purl(text).has_value()) << text;
  }
  EXPECT_FALSE(parse_purl("pkg:deb/debian/" + std::string(5000, 'x')).has_value());
}

TEST(Vers, Notations) {
  TextPool texts;
  const auto range = parse_vers("vers:deb/>=1.0|<2.0|3.0", texts);
  ASSERT_TRUE(range.has_value());
  ASSERT_EQ(range->events.size(), 2U);
  EXPECT_EQ(range->events[0].kind, Event::Kind::introduced);
  EXPECT_EQ(range->events[1].kind, Event::Kind::fixed);
  EXPECT_EQ(range->versions.size(), 1U);
  for (const char* text : {"", "vers:", "vers:deb", "vers:deb/", "<2.0", "vers:deb/>1", "vers:deb/!=1", "vers:deb/<"}) {
    EXPECT_FALSE(parse_vers(text, texts).has_value()) << text;
  }
}

}  // namespace
}  // namespace vmpatch::advisory
