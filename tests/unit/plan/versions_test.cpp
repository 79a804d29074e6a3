#include "vmpatch/plan/versions.hpp"

#include <gtest/gtest.h>

#include "vmpatch/core/process.hpp"

namespace vmpatch::plan {
namespace {

struct Pair {
  const char* a;
  const char* b;
};

// Shapes that Debian really has: epochs, tildes, security suffixes, binNMUs, native versions.
const Pair pairs[] = {{"1.0", "1.0"},
                      {"1.0-1", "1.0-2"},
                      {"1:0.1", "2.0"},
                      {"3.0.11-1~deb12u2", "3.0.11-1"},
                      {"3.0.11-1~deb12u2", "3.0.17-1~deb12u3"},
                      {"7.88.1-10+deb12u5", "7.88.1-10+deb12u12"},
                      {"2.36-9+deb12u4+b1", "2.36-9+deb12u4"},
                      {"1.0~rc1", "1.0"},
                      {"1.0~~", "1.0~"},
                      {"1.0a", "1.0+"},
                      {"2024a-0+deb12u1", "2025b-0+deb12u2"},
                      {"0", "0~"},
                      {"1.10", "1.9"},
                      {"5.36.0-7+deb12u1", "5.36.0-7+deb12u3"},
                      {"1.2.3", "1.2.3-0"}};

std::string relation(const Pair& pair) {
  for (const char* op : {"lt", "eq", "gt"}) {
    Command command;
    command.argv = {"dpkg", "--compare-versions", pair.a, op, pair.b};
    if (const auto result = run(command); result && result->exit_code == 0) return op;
  }
  return "none";
}

std::string ours(int order) { return order < 0 ? "lt" : order > 0 ? "gt" : "eq"; }

TEST(Versions, debian_order_is_that_of_dpkg) {
  for (const auto& pair : pairs) {
    EXPECT_EQ(ours(compare_versions(VersionScheme::deb, pair.a, pair.b)), relation(pair)) << pair.a << " ? " << pair.b;
    EXPECT_EQ(ours(compare_versions(VersionScheme::deb, pair.b, pair.a)), relation({pair.b, pair.a})) << pair.b << " ? " << pair.a;
  }
}

// From rpm's own table of rpmvercmp cases.
TEST(Versions, rpm_order_is_that_of_rpmvercmp) {
  EXPECT_LT(compare_versions(VersionScheme::rpm, "1.0", "2.0"), 0);
  EXPECT_LT(compare_versions(VersionScheme::rpm, "1.0~rc1", "1.0"), 0);
  EXPECT_GT(compare_versions(VersionScheme::rpm, "1.0^20160101", "1.0"), 0);
  EXPECT_LT(compare_versions(VersionScheme::rpm, "2_0", "2.0.1"), 0);
  EXPECT_GT(compare_versions(VersionScheme::rpm, "1:1", "9"), 0);
  EXPECT_LT(compare_versions(VersionScheme::rpm, "5.5p1", "5.5p10"), 0);
}

TEST(Versions, bounds_hold_by_operator) {
  using Op = recipe::VersionBound::Op;
  const auto holds = [](Op op, const char* bound) { return in_bounds(VersionScheme::deb, "1.5", {op, bound}); };
  EXPECT_TRUE(holds(Op::lt, "1.6"));
  EXPECT_FALSE(holds(Op::lt, "1.5"));
  EXPECT_TRUE(holds(Op::le, "1.5"));
  EXPECT_TRUE(holds(Op::eq, "1.5"));
  EXPECT_FALSE(holds(Op::eq, "1.5-0+1"));
  EXPECT_TRUE(holds(Op::ge, "1.5"));
  EXPECT_FALSE(holds(Op::gt, "1.5"));
  EXPECT_TRUE(holds(Op::gt, "1.5~1"));
}

TEST(Versions, unknown_package_manager_is_unsupported) {
  const auto scheme = version_scheme("portage");
  ASSERT_FALSE(scheme);
  EXPECT_EQ(scheme.error().code, Errc::unsupported);
}

}  // namespace
}  // namespace vmpatch::plan
