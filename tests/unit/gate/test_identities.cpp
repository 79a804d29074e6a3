#include "unit/gate/scene.hpp"

#include "vmpatch/core/json.hpp"

namespace vmpatch::gate {
namespace {

TEST(Difference, equal_sets_have_none) { EXPECT_EQ(difference(to_json(disks(1)), disks(1)), ""); }

TEST(Difference, names_the_disk_and_what_moved) {
  const std::string text = difference(to_json(disks(1)), disks(2));
  EXPECT_NE(text.find("disk vda"), std::string::npos);
  EXPECT_NE(text.find("mtime"), std::string::npos);
}

TEST(Difference, disk_that_came_or_went_is_a_difference) {
  Identities two = disks(1);
  two["vdb"] = disk_identity(1);
  EXPECT_EQ(difference(to_json(disks(1)), two), "disk vdb is new");
  EXPECT_EQ(difference(to_json(two), disks(1)), "disk vdb is gone");
}

TEST(Difference, unreadable_record_never_matches) {
  EXPECT_NE(difference({}, disks(1)), "");
  EXPECT_NE(difference({}, {}), "");
  EXPECT_NE(difference({{"vda", 1}}, disks(1)), "");
}

TEST(OnlyCtimeMoved, is_true_for_ctime_alone) {
  Identities now = disks(1);
  EXPECT_TRUE(only_ctime_moved(to_json(disks(1)), now));
  now["vda"][0].ctime_ns = 99;
  EXPECT_TRUE(only_ctime_moved(to_json(disks(1)), now));
  now["vda"][0].mtime_ns = 99;
  EXPECT_FALSE(only_ctime_moved(to_json(disks(1)), now));
  EXPECT_FALSE(only_ctime_moved(to_json(disks(1)), {}));
  EXPECT_FALSE(only_ctime_moved({}, {}));
}

TEST(DifferenceOfCommon, compares_what_both_have_and_never_nothing) {
  Identities two = disks(1);
  two["vdb"] = disk_identity(1);
  EXPECT_EQ(difference_of_common(to_json(disks(1)), two), "");
  EXPECT_EQ(difference_of_common(to_json(two), disks(1)), "");
  EXPECT_NE(difference_of_common(to_json(two), disks(2)), "");
  EXPECT_NE(difference_of_common(to_json(disks(1)), {{"vdb", disk_identity(1)}}), "");
  EXPECT_NE(difference_of_common(to_json(disks(1)), {}), "");
  EXPECT_NE(difference_of_common({}, disks(1)), "");
  EXPECT_EQ(difference_of_common(Json::object(), {}), "") << "a machine without disks";
}

TEST(HasIdentity, writable_drives_only) {
  inventory::Disk disk;
  EXPECT_TRUE(has_identity(disk));
  disk.device = "lun";
  EXPECT_TRUE(has_identity(disk));
  disk.read_only = true;
  EXPECT_FALSE(has_identity(disk));
  disk = {};
  disk.device = "cdrom";
  EXPECT_FALSE(has_identity(disk));
}

}  // namespace
}  // namespace vmpatch::gate
