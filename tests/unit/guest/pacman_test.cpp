#include "guest/pacman.hpp"

#include <gtest/gtest.h>

namespace vmpatch::guest {
namespace {

constexpr const char* desc = R"(%NAME%
gcc-libs

%VERSION%
13.2.1-3

%BASE%
gcc

%DESC%
Runtime libraries shipped by GCC

%ARCH%
x86_64

%REASON%
1

%LICENSE%
GPL3
LGPL
FDL

%VALIDATION%
pgp

)";

TEST(PacmanDesc, fields_give_a_package) {
  const auto package = parse_pacman_desc(desc);
  ASSERT_TRUE(package.has_value()) << package.error().message;
  EXPECT_EQ(package->name, "gcc-libs");
  EXPECT_EQ(package->version, "13.2.1-3");
  EXPECT_EQ(package->arch, "x86_64");
  EXPECT_EQ(package->source, "gcc");
  EXPECT_EQ(package->source_version, "13.2.1-3");
  EXPECT_TRUE(package->automatic);
  EXPECT_TRUE(package->installed());
}

TEST(PacmanDesc, package_without_base_and_reason_is_its_own_source_and_was_asked_for) {
  const auto package = parse_pacman_desc("%NAME%\na\n\n%VERSION%\n1:2-3\n");
  ASSERT_TRUE(package.has_value()) << package.error().message;
  EXPECT_EQ(package->source, "a");
  EXPECT_FALSE(package->automatic);
}

TEST(PacmanDesc, a_value_in_percent_signs_is_a_value) {
  const auto package = parse_pacman_desc("%DESC%\n%NAME%\n\n%NAME%\na\n\n%VERSION%\n1-1\n");
  ASSERT_TRUE(package.has_value()) << package.error().message;
  EXPECT_EQ(package->name, "a");
}

struct Malformed {
  const char* text;
  const char* reason;
};
class MalformedDesc : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedDesc, is_failed_with_the_reason) {
  const auto package = parse_pacman_desc(GetParam().text);
  ASSERT_FALSE(package.has_value());
  EXPECT_EQ(package.error().code, Errc::failed);
  EXPECT_NE(package.error().message.find(GetParam().reason), std::string::npos) << package.error().message;
  EXPECT_EQ(package.error().message.find('\x1b'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Shapes, MalformedDesc,
                         testing::Values(Malformed{"", "no valid package name"}, Malformed{"\x1brubbish\n", "line 1: expected"},
                                         Malformed{"%NAME%\na\n\n%NAME%\nb\n", "line 4: field %NAME% twice"},
                                         Malformed{"%NAME%\na\nb\n", "line 3: a second value"},
                                         Malformed{"%NAME%\n../a\n\n%VERSION%\n1\n", "no valid package name"},
                                         Malformed{"%NAME%\na\n\n%VERSION%\n\n", "package a has no version"}));

}  // namespace
}  // namespace vmpatch::guest
