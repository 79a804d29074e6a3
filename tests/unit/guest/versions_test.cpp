#include "vmpatch/guest/versions.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "vmpatch/core/process.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

struct Pair {
  const char* a;
  const char* b;
};

int sign(int order) { return order < 0 ? -1 : order > 0 ? 1 : 0; }

std::string output_of(std::vector<std::string> argv) {
  Command command;
  command.argv = std::move(argv);
  const auto result = run_checked(command);
  EXPECT_TRUE(result.has_value()) << result.error().message;
  return result ? result->out : std::string();
}

// Shapes that Debian really has: epochs, tildes, security suffixes, binNMUs, native versions.
const Pair deb_pairs[] = {{"1.0", "1.0"},
                          {"1.0-1", "1.0-2"},
                          {"1:0.1", "2.0"},
                          {"0:1.0", "1.0"},
                          {"3.0.11-1~deb12u2", "3.0.11-1"},
                          {"3.0.11-1~deb12u2", "3.0.17-1~deb12u3"},
                          {"7.88.1-10+deb12u5", "7.88.1-10+deb12u12"},
                          {"2.36-9+deb12u4+b1", "2.36-9+deb12u4"},
                          {"1.0~rc1", "1.0"},
                          {"1.0~rc1-1", "1.0~rc1-1~bpo1"},
                          {"1.0~~", "1.0~"},
                          {"1.0a", "1.0+"},
                          {"2024a-0+deb12u1", "2025b-0+deb12u2"},
                          {"0", "0~"},
                          {"1.10", "1.9"},
                          {"1.010", "1.10"},
                          {"1.0-1-2", "1.0-2"},
                          {"5.36.0-7+deb12u1", "5.36.0-7+deb12u3"},
                          {"1.2.3", "1.2.3-0"}};

int order_of_dpkg(const Pair& pair) {
  const std::pair<const char*, int> operators[] = {{"lt", -1}, {"eq", 0}, {"gt", 1}};
  for (const auto& [name, order] : operators) {
    Command command;
    command.argv = {"dpkg", "--compare-versions", pair.a, name, pair.b};
    if (const auto result = run(command); result && result->exit_code == 0) return order;
  }
  ADD_FAILURE() << "dpkg does not compare " << pair.a << " and " << pair.b;
  return 2;
}

TEST(Versions, debian_order_is_that_of_dpkg) {
  for (const Pair& pair : deb_pairs) {
    EXPECT_EQ(sign(compare_versions(VersionScheme::deb, pair.a, pair.b)), order_of_dpkg(pair)) << pair.a << " ? " << pair.b;
    EXPECT_EQ(sign(compare_versions(VersionScheme::deb, pair.b, pair.a)), order_of_dpkg({pair.b, pair.a}))
        << pair.b << " ? " << pair.a;
  }
}

const Pair rpm_pairs[] = {{"1.0-1", "1.0-1"},
                          {"1.0-1", "1.0-2"},
                          {"1.0-9", "1.0-10"},
                          {"2.0-1", "1.9-1"},
                          {"2.0.1-1", "2.0.1a-1"},
                          {"5.5p1-1", "5.5p10-1"},
                          {"5.5p2-1", "5.6p1-1"},
                          {"10xyz-1", "10.1xyz-1"},
                          {"xyz10-1", "xyz10.1-1"},
                          {"xyz.4-1", "8-1"},
                          {"xyz.4-1", "2-1"},
                          {"5.6p1-1", "6.5p1-1"},
                          {"6.0.rc1-1", "6.0-1"},
                          {"10b2-1", "10a1-1"},
                          {"1.0aa-1", "1.0a-1"},
                          {"10.0001-1", "10.1-1"},
                          {"10.0001-1", "10.0039-1"},
                          {"4.999.9-1", "5.0-1"},
                          {"20101121-1", "20101122-1"},
                          {"2_0-1", "2.0-1"},
                          {"2_0-1", "2.0.1-1"},
                          {"a+-1", "a_-1"},
                          {"+a-1", "_a-1"},
                          {"1.0~rc1-1", "1.0-1"},
                          {"1.0~rc1-1", "1.0~rc2-1"},
                          {"1.0~rc1~git123-1", "1.0~rc1-1"},
                          {"1.0-1~test", "1.0-1"},
                          {"1.0^-1", "1.0-1"},
                          {"1.0^git1-1", "1.0-1"},
                          {"1.0^git1-1", "1.0^git2-1"},
                          {"1.0^git1-1", "1.01-1"},
                          {"1.0^20160101-1", "1.0.1-1"},
                          {"1.0^20160101^git1-1", "1.0^20160102-1"},
                          {"1.0~rc1^git1-1", "1.0~rc1-1"},
                          {"1.0^git1~pre-1", "1.0^git1-1"},
                          {"1:1.0-1", "2.0-1"},
                          {"1:1.0-1", "2:0.1-1"},
                          {"0:1.0-1", "1.0-1"},
                          {"3.0.7-24.el9", "3.0.7-27.el9"},
                          {"3.0.7-27.el9", "3.0.7-27.el9_4"},
                          {"3.0.7-27.el9_4.1", "3.0.7-27.el9_4.10"},
                          {"4.18.0-553.el8_10", "4.18.0-553.5.1.el8_10"},
                          {"2.31-150300.83.1", "2.31-150300.9.1"},
                          {"1.fc39-1", "1.fc4-1"},
                          {"1.0.0-1", "1.0-1"},
                          {"007-1", "7-1"},
                          {"1..0-1", "1.0-1"},
                          {"1.0A-1", "1.0a-1"}};

TEST(Versions, rpm_order_is_that_of_rpm) {
  std::string script;
  for (const Pair& pair : rpm_pairs) script += std::string("print(rpm.vercmp('") + pair.a + "','" + pair.b + "') .. ' ') ";
  const std::string output = output_of({"rpm", "--eval", "%{lua: " + script + "}"});
  std::vector<int> expected;
  for (const std::string_view word : split(output, ' ')) {
    if (!trim(word).empty()) expected.push_back(std::stoi(std::string(trim(word))));
  }
  ASSERT_EQ(expected.size(), std::size(rpm_pairs)) << output;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto& [a, b] = rpm_pairs[i];
    EXPECT_EQ(sign(compare_versions(VersionScheme::rpm, a, b)), expected[i]) << a << " ? " << b;
    EXPECT_EQ(sign(compare_versions(VersionScheme::rpm, b, a)), -expected[i]) << b << " ? " << a;
  }
}

const Pair alpm_pairs[] = {{"1.5.0-1", "1.5.0-1"}, {"1.5.1-1", "1.5.0-1"},   {"1.5.1", "1.5"},          {"1.5.0-1", "1.5.0-2"},
                           {"1.5.0", "1.5.0-1"},   {"1.5-1", "1.5.1-1"},     {"1.5-2", "1.5.1-1"},      {"1.5-2", "1.5b-1"},
                           {"1.5b-1", "1.5-1"},    {"1.5b", "1.5"},          {"1.5b", "1.5.1"},         {"1.0a", "1.0alpha"},
                           {"1.0alpha", "1.0b"},   {"1.0b", "1.0beta"},      {"1.0beta", "1.0rc"},      {"1.0rc", "1.0"},
                           {"1.5.a", "1.5"},       {"1.5.a", "1.5b"},        {"1.5.a", "1.5.1"},        {"1.5.b", "1.5"},
                           {"2.0", "2_0"},         {"2.0_a", "2_0.a"},       {"2.0a", "2.0.a"},         {"2___a", "2_a"},
                           {"0:1.0", "0:1.0"},     {"0:1.0", "0:1.1"},       {"1:1.0", "0:1.0"},        {"1:1.0", "2:1.1"},
                           {"1:1.0", "0:1.0-1"},   {"1:1.0-1", "0:1.1-1"},   {"0:1.0", "1.0"},          {"0:1.0", "1.1"},
                           {"1:1.0", "1.1"},       {"0:1.1", "1.0-1"},       {"5.15.arch1-1", "5.15-1"}, {"6.6.1.arch1-1", "6.6.10.arch1-1"},
                           {"1.0~rc1-1", "1.0-1"}, {"r100.abc-1", "r99.def-1"}, {"20240101-1", "20231231-2"}, {"1.0.", "1.0"},
                           {"1.0..1", "1.0.1"},    {"001.2", "1.002"},       {"1.0-1.1", "1.0-1.2"},    {"1.0+5+gabc-1", "1.0+12+gdef-1"},
                           {"12:1-1", "9:2-1"},    {"1.2.3-1", "1.2.3.-1"},  {":1.0-1", "1.0-1"},       {"1.0.a", "1.0."}};

TEST(Versions, pacman_order_is_that_of_vercmp) {
  for (const auto& [a, b] : alpm_pairs) {
    EXPECT_EQ(sign(compare_versions(VersionScheme::alpm, a, b)), std::stoi(output_of({"vercmp", a, b}))) << a << " ? " << b;
    EXPECT_EQ(sign(compare_versions(VersionScheme::alpm, b, a)), std::stoi(output_of({"vercmp", b, a}))) << b << " ? " << a;
  }
}

/// Each line in rising order, by the rules of apk-package(5); Debian has no apk to ask.
const std::vector<std::vector<const char*>> apk_rising = {
    {"0", "0.1", "0.9", "0.10", "1", "1.0", "1.0.0", "1.0.1", "1.1", "1.9", "1.10", "2", "10", "20231231", "20240101"},
    {"1.0_alpha", "1.0_alpha1", "1.0_alpha2", "1.0_alpha10", "1.0_beta", "1.0_beta1", "1.0_pre", "1.0_pre20060124",
     "1.0_pre20060125", "1.0_rc", "1.0_rc1", "1.0_rc9", "1.0_rc10", "1.0", "1.0-r0", "1.0-r1", "1.0-r9", "1.0-r10", "1.0_cvs",
     "1.0_cvs1", "1.0_svn", "1.0_git", "1.0_git20230101", "1.0_hg", "1.0_p", "1.0_p1", "1.0_p9", "1.0_p10", "1.0a", "1.0b",
     "1.0z", "1.0.0", "1.0.1"},
    {"1.0_rc1_alpha", "1.0_rc1", "1.0_rc1_p1"},
    {"1.0_p1_rc1", "1.0_p1", "1.0_p1-r1", "1.0_p1_p1"},
    {"1.0a_rc1", "1.0a", "1.0a-r1", "1.0a_p1"},
    {"1.0", "1.0-r0", "1.0~0123abc", "1.0~0123abc-r1", "1.0~0123abd", "1.0_git1"},
    {"1.00", "1.001", "1.01", "1.010", "1.011", "1.02", "1.1", "1.2", "1.10"},
    {"1.1.1t-r3", "1.1.1u-r0", "1.1.1w-r1", "3.0.10-r0", "3.1.4-r5", "3.1.4-r6", "3.1.5-r0"},
    {"9.9999999999999999999998", "9.9999999999999999999999", "9.10000000000000000000000"}};

const Pair apk_equal[] = {{"1.2.3-r4", "1.2.3-r4"}, {"01", "1"}, {"1.0-r01", "1.0-r1"}, {"1_p01", "1_p1"}, {"1.0~ab", "1.0~ab"}};

TEST(Versions, apk_order_follows_its_rules) {
  std::size_t pairs = 0;
  for (const auto& rising : apk_rising) {
    for (std::size_t i = 0; i < rising.size(); ++i) {
      for (std::size_t k = i + 1; k < rising.size(); ++k) {
        EXPECT_LT(compare_versions(VersionScheme::apk, rising[i], rising[k]), 0) << rising[i] << " < " << rising[k];
        EXPECT_GT(compare_versions(VersionScheme::apk, rising[k], rising[i]), 0) << rising[k] << " > " << rising[i];
        ++pairs;
      }
    }
  }
  EXPECT_GT(pairs, 60U);
  for (const auto& [a, b] : apk_equal) EXPECT_EQ(compare_versions(VersionScheme::apk, a, b), 0) << a << " = " << b;
}

TEST(Versions, apk_version_that_breaks_the_grammar_is_lower_than_the_same_that_does_not) {
  for (const auto& [broken, whole] : {Pair{"1.0_foo", "1.0"}, {"1.0bc", "1.0b"}, {"1.0-x1", "1.0"}, {"1.", "1"}, {"", "0"}}) {
    EXPECT_LT(compare_versions(VersionScheme::apk, broken, whole), 0) << broken << " < " << whole;
  }
}

TEST(Versions, every_package_manager_of_the_facts_has_its_order) {
  EXPECT_EQ(version_scheme("dpkg").value(), VersionScheme::deb);
  EXPECT_EQ(version_scheme("rpm").value(), VersionScheme::rpm);
  EXPECT_EQ(version_scheme("apk").value(), VersionScheme::apk);
  EXPECT_EQ(version_scheme("pacman").value(), VersionScheme::alpm);
}

TEST(Versions, unknown_package_manager_is_unsupported) {
  const auto scheme = version_scheme("portage");
  ASSERT_FALSE(scheme);
  EXPECT_EQ(scheme.error().code, Errc::unsupported);
}

}  // namespace
}  // namespace vmpatch::guest
