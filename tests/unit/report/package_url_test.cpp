#include <gtest/gtest.h>

#include "vmpatch/report/sbom.hpp"

namespace vmpatch::report {
namespace {

using guest::OsRelease;
using guest::Package;

struct Case {
  OsRelease os;
  std::string manager;
  Package package;
  std::string url;
};

class PackageUrl : public testing::TestWithParam<Case> {};

TEST_P(PackageUrl, is_canonical) {
  const Case& c = GetParam();
  EXPECT_EQ(package_url(c.os, c.manager, c.package), c.url);
}

const OsRelease debian{"debian", "12", "Debian GNU/Linux 12 (bookworm)", "bookworm"};
const OsRelease sid{"debian", "", "Debian GNU/Linux sid", ""};
const OsRelease fedora{"fedora", "40", "", ""};
const OsRelease rhel{"rhel", "9.4", "", ""};
const OsRelease leap{"opensuse-leap", "15.6", "", ""};
const OsRelease alpine{"alpine", "3.20.1", "", ""};
const OsRelease arch{"arch", "", "Arch Linux", ""};

Package make(const std::string& name, const std::string& version, const std::string& architecture, const std::string& source = "",
             const std::string& source_version = "") {
  return {name, version, architecture, source.empty() ? name : source, source_version.empty() ? version : source_version,
          "install ok installed", false, false};
}

// The first ones are shaped like the examples of the specification's type definitions.
INSTANTIATE_TEST_SUITE_P(
    Types, PackageUrl,
    testing::Values(
        Case{debian, "dpkg", make("curl", "7.50.3-1", "i386"), "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=debian-12"},
        Case{sid, "dpkg", make("attr", "1:2.4.47-2+b1", "amd64", "attr", "1:2.4.47-2"),
             "pkg:deb/debian/attr@1:2.4.47-2%2Bb1?arch=amd64&distro=debian&upstream=attr%401:2.4.47-2"},
        Case{debian, "dpkg", make("libssl3", "3.0.11-1~deb12u2", "amd64", "openssl", "3.0.11-1~deb12u2"),
             "pkg:deb/debian/libssl3@3.0.11-1~deb12u2?arch=amd64&distro=debian-12&upstream=openssl%403.0.11-1~deb12u2"},
        Case{debian, "dpkg", make("libstdc++6", "12.2.0-14", "amd64", "gcc-12"),
             "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=amd64&distro=debian-12&upstream=gcc-12%4012.2.0-14"},
        Case{fedora, "rpm", make("curl", "7.50.3-1.fc40", "i386"), "pkg:rpm/fedora/curl@7.50.3-1.fc40?arch=i386&distro=fedora-40"},
        Case{rhel, "rpm", make("bind-libs", "32:9.16.23-18.el9", "x86_64", "bind"),
             "pkg:rpm/redhat/bind-libs@9.16.23-18.el9?arch=x86_64&distro=rhel-9.4&epoch=32&upstream=bind%4032:9.16.23-18.el9"},
        Case{leap, "rpm", make("PackageKit", "0:1.2-3", "noarch"), "pkg:rpm/opensuse/PackageKit@1.2-3?arch=noarch&distro=opensuse-leap-15.6"},
        Case{alpine, "apk", make("curl", "7.83.0-r0", "x86"), "pkg:apk/alpine/curl@7.83.0-r0?arch=x86&distro=alpine-3.20.1"},
        Case{arch, "pacman", make("containers-common", "1:0.47.4-4", "x86_64"),
             "pkg:alpm/arch/containers-common@1:0.47.4-4?arch=x86_64&distro=arch"}));

TEST(PackageUrlOfHostileText, has_nothing_but_plain_characters) {
  const OsRelease os{"De/b?#\x1b", "1 2", "", ""};
  const std::string url = package_url(os, "dpkg", make("a/b?c#d@e\n\xff", "1&2=3 4", "\xc3\xa4"));
  EXPECT_EQ(url, "pkg:deb/de%2Fb%3F%23%1B/a%2Fb%3Fc%23d%40e%0A%EF%BF%BD@1%262%3D3%204?arch=%C3%A4&distro=De%2Fb%3F%23%1B-1%202");
}

TEST(PackageUrlOfUnknown, is_empty) {
  EXPECT_EQ(package_url(debian, "portage", make("a", "1", "amd64")), "");
  EXPECT_EQ(package_url(debian, "dpkg", make("", "1", "amd64", "x")), "");
  EXPECT_EQ(package_url(OsRelease(), "dpkg", make("a", "", "")), "pkg:deb/a");
}

}  // namespace
}  // namespace vmpatch::report
