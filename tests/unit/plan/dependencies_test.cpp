#include "plan/dependencies.hpp"

#include <gtest/gtest.h>

namespace vmpatch::plan {
namespace {

TEST(Dependencies, versions_alternatives_and_qualifiers_are_read) {
  const auto all = parse_relations("libc6 (>= 2.34), default-mta | mail-transport-agent, python3:any, foo [amd64] , bar (<< 2) | baz (= 1:3-1)");
  ASSERT_EQ(all.size(), 5U);
  EXPECT_EQ(all[0][0].name, "libc6");
  EXPECT_EQ(all[0][0].bound->text(), ">= 2.34");
  EXPECT_EQ(all[1][1].name, "mail-transport-agent");
  EXPECT_FALSE(all[1][1].bound);
  EXPECT_EQ(all[2][0].name, "python3");
  EXPECT_EQ(all[3][0].name, "foo");
  EXPECT_EQ(all[4][0].bound->text(), "< 2");
  EXPECT_EQ(all[4][1].bound->text(), "= 1:3-1");
}

TEST(Dependencies, broken_entries_are_left_to_dpkg) {
  EXPECT_TRUE(parse_relations("").empty());
  EXPECT_TRUE(parse_relations(" , ,").empty());
  EXPECT_TRUE(parse_relations("foo (>= ").empty());
  EXPECT_TRUE(parse_relations("foo (!! 3)").empty());
}

}  // namespace
}  // namespace vmpatch::plan
