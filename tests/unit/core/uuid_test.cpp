#include "vmpatch/core/uuid.hpp"

#include <gtest/gtest.h>

#include <set>

#include "vmpatch/core/digest.hpp"

namespace vmpatch {
namespace {

TEST(Uuid, random_ones_are_version_4_and_differ) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string uuid = random_uuid();
    ASSERT_TRUE(is_uuid(uuid)) << uuid;
    EXPECT_EQ(uuid[14], '4');
    EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos);
    seen.insert(uuid);
  }
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(Uuid, a_name_gives_the_same_version_8_every_time) {
  const std::string uuid = named_uuid("/images/web01.qcow2");
  EXPECT_EQ(uuid, named_uuid("/images/web01.qcow2"));
  EXPECT_NE(uuid, named_uuid("/images/web02.qcow2"));
  EXPECT_TRUE(is_uuid(uuid));
  EXPECT_EQ(uuid[14], '8');
}

TEST(Uuid, the_name_is_hashed_behind_a_prefix) {
  const std::string hex = sha256(std::string("vm-patch\0x", 10)).hex();
  const std::string uuid = named_uuid("x");
  EXPECT_EQ(uuid.substr(0, 8), hex.substr(0, 8));
  EXPECT_EQ(uuid.substr(24), hex.substr(20, 12));
}

TEST(Uuid, other_forms_are_not_uuids) {
  EXPECT_TRUE(is_uuid("C0FFEE00-0000-4000-8000-00000000abcd"));
  for (const char* text : {"", "c0ffee00000040008000000000000000", "{c0ffee00-0000-4000-8000-00000000abcd}",
                           "c0ffee00-0000-4000-8000-00000000abcg", "c0ffee00-0000-4000-8000-00000000abc",
                           "c0ffee000-000-4000-8000-00000000abcd"}) {
    EXPECT_FALSE(is_uuid(text)) << text;
  }
}

}  // namespace
}  // namespace vmpatch
