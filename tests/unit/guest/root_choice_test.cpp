#include "guest/root_choice.hpp"

#include <gtest/gtest.h>

namespace vmpatch::guest {
namespace {

FileSystem subvolume(const std::string& path, std::uint64_t id, bool is_default = false, const std::string& uuid = "u") {
  FileSystem fs{is_default ? "/dev/sda2" : "btrfsvol:/dev/sda2/" + path, "btrfs", uuid, "", ""};
  fs.subvolume = path;
  if (!is_default) fs.holder = "/dev/sda2";
  fs.subvolume_id = id;
  return fs;
}

RootCandidate candidate(FileSystem fs, const std::string& options = "defaults", bool read_only = false) {
  return {std::move(fs), read_only, {{"UUID=u", "/", "btrfs", options}, {"UUID=u", "/home", "btrfs", "subvol=/@home"}}};
}

std::string chosen(const std::vector<RootCandidate>& candidates) {
  const auto root = choose_root(candidates);
  return root ? root->device : std::string(to_string(root.error().code));
}

TEST(RootChoice, default_subvolume_is_the_root_though_it_lies_among_snapshots) {
  EXPECT_EQ(chosen({candidate(subvolume("@/.snapshots/1/snapshot", 259, true)),
                    candidate(subvolume("@/.snapshots/2/snapshot", 260), "defaults", true)}),
            "/dev/sda2");
}

TEST(RootChoice, read_only_default_subvolume_is_the_root) {
  EXPECT_EQ(chosen({candidate(subvolume("@/old", 300)), candidate(subvolume("@/.snapshots/9/snapshot", 301, true), "defaults", true)}),
            "/dev/sda2");
}

TEST(RootChoice, without_a_default_the_subvolume_that_its_fstab_names_is_the_root) {
  EXPECT_EQ(chosen({candidate(subvolume("copy", 300), "subvol=@"), candidate(subvolume("@", 256), "rw,subvol=/@")}),
            "btrfsvol:/dev/sda2/@");
  EXPECT_EQ(chosen({candidate(subvolume("copy", 300), "subvolid=256"), candidate(subvolume("root", 256), "subvolid=256")}),
            "btrfsvol:/dev/sda2/root");
}

TEST(RootChoice, snapshots_never_count) {
  EXPECT_EQ(chosen({candidate(subvolume("timeshift-btrfs/snapshots/2026-01-01/@", 300), "subvol=@"), candidate(subvolume("@", 256), "")}),
            "btrfsvol:/dev/sda2/@");
  EXPECT_EQ(chosen({candidate(subvolume("before-upgrade", 300), "subvol=before-upgrade", true), candidate(subvolume("@", 256))}),
            "btrfsvol:/dev/sda2/@");
  EXPECT_EQ(chosen({candidate(subvolume("@/.snapshots/3/snapshot", 300))}), "not_found");
}

TEST(RootChoice, subvolumes_that_nothing_tells_apart_are_refused_by_name) {
  const auto root = choose_root({candidate(subvolume("debian", 256)), candidate(subvolume("fedora", 257))});
  ASSERT_FALSE(root.has_value());
  EXPECT_EQ(root.error().code, Errc::refused);
  EXPECT_NE(root.error().message.find("btrfsvol:/dev/sda2/debian (btrfs), btrfsvol:/dev/sda2/fedora (btrfs)"), std::string::npos)
      << root.error().message;
}

TEST(RootChoice, roots_on_different_file_systems_are_refused) {
  EXPECT_EQ(chosen({candidate(subvolume("@", 256, true)), candidate(subvolume("@", 256, false, "other"))}), "refused");
  EXPECT_EQ(chosen({{{"/dev/sda1", "ext4", "a", "", ""}, false, {}}, {{"/dev/sdb1", "ext4", "a", "", ""}, false, {}}}), "refused");
}

TEST(RootChoice, devices_of_one_btrfs_are_one_system) {
  FileSystem second = subvolume("", 5, true);
  second.device = "/dev/sdb1";
  EXPECT_EQ(chosen({candidate(subvolume("", 5, true)), candidate(second)}), "/dev/sda2");
}

TEST(RootChoice, nothing_that_looks_like_a_root_is_not_found) { EXPECT_EQ(chosen({}), "not_found"); }

}  // namespace
}  // namespace vmpatch::guest
