#include "guest/dpkg.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace vmpatch::guest {
namespace {

constexpr const char* openssl = R"(Package: openssl
Status: install ok installed
Priority: optional
Maintainer: Debian OpenSSL Team
Architecture: amd64
Version: 3.0.11-1~deb12u2
Conffiles:
 /etc/ssl/openssl.cnf 6df7db8b04d2f6a8f2eba0e1f4d1d3a8
Description: Secure Sockets Layer toolkit
 This package is part of the OpenSSL project.
 .
 It contains: many lines

Package: libexpat1
Status: hold ok installed
Architecture: amd64
Multi-Arch: same
Source: expat (2.5.0-1)
Version: 2.5.0-1+b1
)";

TEST(DpkgStatus, stanzas_with_continuation_lines_give_packages) {
  const auto packages = parse_dpkg_status(openssl);
  ASSERT_TRUE(packages.has_value()) << packages.error().message;
  ASSERT_EQ(packages->size(), 2U);
  EXPECT_EQ((*packages)[0].name, "openssl");
  EXPECT_EQ((*packages)[0].version, "3.0.11-1~deb12u2");
  EXPECT_EQ((*packages)[0].arch, "amd64");
  EXPECT_EQ((*packages)[0].source, "openssl");
  EXPECT_EQ((*packages)[0].source_version, "3.0.11-1~deb12u2");
  EXPECT_TRUE((*packages)[0].installed());
  EXPECT_FALSE((*packages)[0].held());
}

TEST(DpkgStatus, source_with_version_in_brackets_is_split) {
  const auto packages = parse_dpkg_status(openssl);
  ASSERT_TRUE(packages.has_value());
  EXPECT_EQ((*packages)[1].source, "expat");
  EXPECT_EQ((*packages)[1].source_version, "2.5.0-1");
  EXPECT_TRUE((*packages)[1].held());
}

TEST(DpkgStatus, empty_text_has_no_packages) {
  EXPECT_TRUE(parse_dpkg_status("")->empty());
  EXPECT_TRUE(parse_dpkg_status("\n\n \n")->empty());
}

TEST(DpkgStatus, removed_package_without_version_is_kept_and_not_installed) {
  const auto packages = parse_dpkg_status("Package: nano\nStatus: deinstall ok config-files\nArchitecture: amd64\n");
  ASSERT_TRUE(packages.has_value());
  EXPECT_FALSE(packages->front().installed());
}

TEST(DpkgStatus, files_are_on_the_disk_in_every_state_but_the_two_without) {
  const auto on_disk = [](const std::string& status) {
    const auto packages = parse_dpkg_status("Package: a\nStatus: " + status + "\nVersion: 1\n");
    EXPECT_TRUE(packages.has_value()) << status;
    return packages.has_value() && packages->front().on_disk();
  };
  for (const std::string want : {"install", "hold", "deinstall", "purge", "unknown"}) {
    for (const std::string flag : {"ok", "reinstreq"}) {
      for (const char* state : {"installed", "half-installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending",
                                "a-state-of-the-future"}) {
        EXPECT_TRUE(on_disk(want + " " + flag + " " + state)) << want << " " << flag << " " << state;
      }
      for (const char* state : {"not-installed", "config-files"}) {
        EXPECT_FALSE(on_disk(want + "  " + flag + "\t" + state)) << want << " " << flag << " " << state;
      }
    }
  }
  EXPECT_TRUE((Package{"a", "1", "", "a", "1", std::string(installed_status)}.on_disk()));
}

TEST(DpkgStatus, field_names_ignore_case) {
  const auto packages = parse_dpkg_status("package: a\nSTATUS: install ok installed\nvErSiOn: 1\n");
  ASSERT_TRUE(packages.has_value());
  EXPECT_EQ(packages->front().version, "1");
}

struct Malformed {
  const char* text;
  const char* reason;
};
class MalformedStatus : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedStatus, is_failed_with_the_line) {
  const auto packages = parse_dpkg_status(GetParam().text);
  ASSERT_FALSE(packages.has_value());
  EXPECT_EQ(packages.error().code, Errc::failed);
  EXPECT_NE(packages.error().message.find(GetParam().reason), std::string::npos) << packages.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, MalformedStatus,
    testing::Values(Malformed{"Package: a\nno colon here\n", "line 2: expected"},
                    Malformed{" starts with a continuation\n", "line 1: a continuation"},
                    Malformed{"Status: install ok installed\nVersion: 1\n", "line 1: a stanza without a valid package name"},
                    Malformed{"Package: ../../x\nStatus: install ok installed\nVersion: 1\n", "valid package name"},
                    Malformed{"Package: a\nPackage: b\n", "line 2: field Package twice"},
                    Malformed{"Package: a\nVersion: 1\n", "no status of three words"},
                    Malformed{"Package: a\nStatus: installed\n", "no status of three words"},
                    Malformed{"\n\nPackage: a\nStatus: install ok installed\n", "line 3: installed package a has no version"},
                    Malformed{"Package: a\n: x\n", "line 2"}));

TEST(DpkgStatus, overlong_value_is_failed_and_names_line_and_field) {
  const auto with = [](std::size_t length) {
    return parse_dpkg_status("Package: a\nVersion: " + std::string(length, '1') + "\nStatus: install ok installed\n");
  };
  EXPECT_TRUE(with(512).has_value());
  const auto packages = with(513);
  ASSERT_FALSE(packages.has_value());
  EXPECT_EQ(packages.error().message, "line 2: field Version longer than 512 bytes");
}

TEST(DpkgStatus, packages_of_more_than_8_mebibytes_are_failed) {
  const std::string stanza = "Package: p" + std::string(400, '\xff') + "\nStatus: install ok half-installed\nVersion: " + std::string(400, '\xff') + "\n\n";
  std::string text;
  for (int i = 0; i < 12'000; ++i) text += stanza;
  const auto packages = parse_dpkg_status(text);
  ASSERT_FALSE(packages.has_value());
  EXPECT_NE(packages.error().message.find("the names and versions of its packages have more than 8 MiB"), std::string::npos)
      << packages.error().message;
  EXPECT_TRUE(packages.error().message.starts_with("line ")) << packages.error().message;
}

TEST(DpkgStatus, more_than_50000_packages_are_failed) {
  std::string text;
  for (int i = 0; i <= 50'000; ++i) text += "Package: p" + std::to_string(i) + "\nStatus: deinstall ok config-files\n\n";
  const auto packages = parse_dpkg_status(text);
  ASSERT_FALSE(packages.has_value());
  EXPECT_NE(packages.error().message.find("more than 50000"), std::string::npos);
}

TEST(DpkgStatus, malformed_line_is_escaped_in_the_message) {
  const auto packages = parse_dpkg_status("\x1b[31mred\n");
  ASSERT_FALSE(packages.has_value());
  EXPECT_EQ(packages.error().message.find('\x1b'), std::string::npos);
}

TEST(DpkgStatus, folder_form_without_status_is_installed) {
  PackageList packages;
  ASSERT_TRUE(parse_dpkg_stanzas("Package: tzdata\nVersion: 2024a\n", "install ok installed", packages).has_value());
  EXPECT_TRUE(packages.take().front().installed());
}

TEST(DpkgStatus, essential_is_yes_in_any_case_and_nothing_else) {
  const auto packages = parse_dpkg_status(
      "Package: a\nEssential: yes\nStatus: install ok installed\nVersion: 1\n\n"
      "Package: b\nEssential: YES\nStatus: install ok installed\nVersion: 1\n\n"
      "Package: c\nEssential: no\nStatus: install ok installed\nVersion: 1\n\n"
      "Package: d\nStatus: install ok installed\nVersion: 1\n");
  ASSERT_TRUE(packages.has_value());
  EXPECT_TRUE((*packages)[0].essential);
  EXPECT_TRUE((*packages)[1].essential);
  EXPECT_FALSE((*packages)[2].essential);
  EXPECT_FALSE((*packages)[3].essential);
}

TEST(DpkgStatus, sixty_four_mebibytes_take_no_long_time) {
  const std::string stanza =
      "Package: some-package-0000\nStatus: install ok installed\nVersion: 1.2.3-4\nArchitecture: amd64\n"
      "Description: text\n" + std::string(1400, ' ') + "x\n\n";
  std::string text;
  while (text.size() < (64U << 20U) - stanza.size()) text += stanza;
  const auto start = std::chrono::steady_clock::now();
  const auto packages = parse_dpkg_status(text);
  ASSERT_TRUE(packages.has_value()) << packages.error().message;
  EXPECT_GT(packages->size(), 40'000U);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));  // 0.1 s; sanitizers on a busy host more
}

TEST(ExtendedStates, dependencies_are_marked_by_name_and_architecture) {
  auto packages = parse_dpkg_status(
      "Package: lib\nArchitecture: amd64\nStatus: install ok installed\nVersion: 1\n\n"
      "Package: lib\nArchitecture: i386\nStatus: install ok installed\nVersion: 1\n\n"
      "Package: data\nArchitecture: all\nStatus: install ok installed\nVersion: 1\n\n"
      "Package: tool\nArchitecture: amd64\nStatus: install ok installed\nVersion: 1\n");
  ASSERT_TRUE(packages.has_value());
  const auto marked = mark_automatic(
      "Package: lib\nArchitecture: i386\nAuto-Installed: 1\n\nPackage: data\nArchitecture: amd64\nAuto-Installed: 1\n\n"
      "Package: tool\nArchitecture: amd64\nAuto-Installed: 0\n\nPackage: gone\nArchitecture: amd64\nAuto-Installed: 1\n",
      *packages);
  ASSERT_TRUE(marked.has_value()) << marked.error().message;
  EXPECT_FALSE((*packages)[0].automatic);
  EXPECT_TRUE((*packages)[1].automatic);
  EXPECT_TRUE((*packages)[2].automatic);
  EXPECT_FALSE((*packages)[3].automatic);
}

TEST(ExtendedStates, malformed_text_is_failed_with_the_line) {
  std::vector<Package> none;
  const auto marked = mark_automatic("Package: a\n\nrubbish\n", none);
  ASSERT_FALSE(marked.has_value());
  EXPECT_NE(marked.error().message.find("line 3"), std::string::npos) << marked.error().message;
}

TEST(HalfConfigured, states_in_between_are_named) {
  const auto packages = parse_dpkg_status(
      "Package: a\nStatus: install ok half-configured\nVersion: 1\n\n"
      "Package: b\nStatus: install ok triggers-pending\nVersion: 1\n\n"
      "Package: c\nStatus: install reinstreq installed\nVersion: 1\n\n"
      "Package: d\nStatus: deinstall ok config-files\n\n"
      "Package: e\nStatus: purge ok not-installed\n\n"
      "Package: f\nStatus: install ok unpacked\nVersion: 1\n");
  ASSERT_TRUE(packages.has_value());
  EXPECT_EQ(half_configured_packages(*packages),
            (std::vector<std::string>{"a: install ok half-configured", "b: install ok triggers-pending",
                                      "c: install reinstreq installed", "f: install ok unpacked"}));
}

}  // namespace
}  // namespace vmpatch::guest
