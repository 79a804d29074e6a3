#include "vmpatch/plan/versions.hpp"

#include <gtest/gtest.h>

namespace vmpatch::plan {
namespace {

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

}  // namespace
}  // namespace vmpatch::plan
