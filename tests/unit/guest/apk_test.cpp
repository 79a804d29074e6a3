#include "guest/apk.hpp"

#include <gtest/gtest.h>

namespace vmpatch::guest {
namespace {

constexpr const char* database = R"(C:Q1p78yvTLG094tHE1+dToJGbmYzQE=
P:alpine-baselayout-data
V:3.4.3-r1
A:x86_64
S:11709
I:77824
T:Alpine base dir structure and init scripts
U:https://git.alpinelinux.org/cgit/aports/tree/main/alpine-baselayout
L:GPL-2.0-only
o:alpine-baselayout
m:A Maintainer <a@example.org>
t:1683642107
c:65502ca9379dd29d1ac4b0bf0dcf03a3dd1b324a
r:alpine-baselayout
F:etc
R:fstab
Z:Q11Q7hNe8QpDS531guqCdrXBzoA/o=
R:shadow
a:0:42:640
Z:Q1ltrPIAW2zHeDiajsex2Bdmq3uqA=

C:Q1KH3O5k5W2m7h1Qqkz2s2yI9m7uE=
P:musl
V:1.2.4-r2
A:x86_64
o:musl
f:S
F:lib

P:virtual
V:20240101.0
A:noarch
)";

TEST(ApkInstalled, stanzas_give_packages_with_their_origin) {
  const auto found = parse_apk_installed(database);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  ASSERT_EQ(found->packages.size(), 3U);
  const Package& data = found->packages[0];
  EXPECT_EQ(data.name, "alpine-baselayout-data");
  EXPECT_EQ(data.version, "3.4.3-r1");
  EXPECT_EQ(data.arch, "x86_64");
  EXPECT_EQ(data.source, "alpine-baselayout");
  EXPECT_EQ(data.source_version, "3.4.3-r1");
  EXPECT_TRUE(data.installed());
  EXPECT_FALSE(data.held());
  EXPECT_EQ(found->packages[2].source, "virtual");
  EXPECT_TRUE(found->broken.empty());
}

TEST(ApkInstalled, broken_flags_are_named) {
  const auto found = parse_apk_installed("P:a\nV:1\nf:fs\n\nP:b\nV:1\nf:x\n\nP:c\nV:1\nf:S\n");
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found->broken, (std::vector<std::string>{"a: broken files, script", "b: broken extended attributes"}));
}

TEST(ApkInstalled, empty_text_has_no_packages) {
  EXPECT_TRUE(parse_apk_installed("")->packages.empty());
  EXPECT_TRUE(parse_apk_installed("\n\n")->packages.empty());
}

struct Malformed {
  const char* text;
  const char* reason;
};
class MalformedApk : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedApk, is_failed_with_the_line) {
  const auto found = parse_apk_installed(GetParam().text);
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, Errc::failed);
  EXPECT_NE(found.error().message.find(GetParam().reason), std::string::npos) << found.error().message;
  EXPECT_EQ(found.error().message.find('\x1b'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Shapes, MalformedApk,
                         testing::Values(Malformed{"P:a\nV:1\n\nrubbish\n", "line 4: expected"},
                                         Malformed{"P:a\n\x1b[2J\n", "line 2: expected"},
                                         Malformed{"P:a\nP:b\nV:1\n", "line 2: field P twice"},
                                         Malformed{"V:1\n\n", "line 1: a stanza without a valid package name"},
                                         Malformed{"P:../x\nV:1\n", "valid package name"},
                                         Malformed{"\nP:a\n", "line 2: package a has no version"}));

TEST(ApkInstalled, overlong_value_is_failed) {
  EXPECT_TRUE(parse_apk_installed("P:a\nV:" + std::string(512, '1') + "\n"));
  const auto longer = parse_apk_installed("P:a\nV:" + std::string(513, '1') + "\n");
  ASSERT_FALSE(longer.has_value());
  EXPECT_EQ(longer.error().message, "line 2: field V longer than 512 bytes");
  EXPECT_TRUE(parse_apk_installed("P:a\nV:1\np:" + std::string(5000, '1') + "\n"));  // not kept
}

TEST(ApkInstalled, packages_of_more_than_8_mebibytes_are_failed) {
  std::string text;
  for (int i = 0; i < 12'000; ++i) text += "P:" + std::string(400, 'p') + "\nV:" + std::string(400, '1') + "\n\n";
  const auto parsed = parse_apk_installed(text);
  ASSERT_FALSE(parsed.has_value());
  EXPECT_NE(parsed.error().message.find("more than 8 MiB"), std::string::npos) << parsed.error().message;
}

}  // namespace
}  // namespace vmpatch::guest
