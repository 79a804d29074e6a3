#include "cli/scan/package_version.hpp"

#include <gtest/gtest.h>

namespace vmpatch::cli {
namespace {

PackageVersion version(const std::string& manager, const std::string& text) {
  PackageVersion made;
  made.package_manager = manager;
  made.package.name = "openssl";
  made.package.version = text;
  return made;
}

TEST(PackageVersionOrder, IsAStrictWeakOrderAcrossPackageManagers) {
  std::vector<PackageVersion> all;
  // As text "10" < "9", for a package manager the other way round.
  for (const char* manager : {"dpkg", "rpm", "apk", "pacman", "unheard-of"}) {
    for (const char* text : {"10-1", "9-1", "1.0~rc1-1", "1.0-1", "95-1"}) all.push_back(version(manager, text));
  }
  for (const auto& a : all) {
    EXPECT_FALSE(comes_before(a, a));
    for (const auto& b : all) {
      EXPECT_FALSE(comes_before(a, b) && comes_before(b, a));
      for (const auto& c : all) {
        EXPECT_TRUE(!comes_before(a, b) || !comes_before(b, c) || comes_before(a, c))
            << a.package_manager << a.package.version << " " << b.package_manager << b.package.version << " " << c.package_manager
            << c.package.version;
      }
    }
  }
}

TEST(PackageVersionOrder, NameThenPackageManagerThenItsVersions) {
  auto other = version("apk", "1-r0");
  other.package.name = "zlib";
  EXPECT_TRUE(comes_before(version("rpm", "99-1"), other));
  EXPECT_TRUE(comes_before(version("dpkg", "99-1"), version("rpm", "1-1")));
  EXPECT_TRUE(comes_before(version("dpkg", "9-1"), version("dpkg", "10-1")));
  EXPECT_TRUE(comes_before(version("dpkg", "1.0~rc1-1"), version("dpkg", "1.0-1")));
}

}  // namespace
}  // namespace vmpatch::cli
