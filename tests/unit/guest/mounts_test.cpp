#include <gtest/gtest.h>

#include "vmpatch/guest/disks.hpp"

namespace vmpatch::guest {
namespace {

const FileSystem root{"/dev/sda2", "ext4", "aaaa-1", "rootfs", "p-2"};
const FileSystem efi{"/dev/sda1", "vfat", "1A2B-3C4D", "EFI", "p-1"};
const FileSystem home{"/dev/sdb1", "xfs", "bbbb-2", "home dir", "p-3"};
const FileSystem volume{"/dev/my-group/var", "ext4", "cccc-3", "", ""};
const std::vector<FileSystem> all{efi, root, home, volume};

std::string planned(const std::string& what, const std::string& options = "defaults", const std::string& type = "auto") {
  const auto mounts = plan_mounts(root, {{what, "/x", type, options}}, all);
  if (!mounts) return "error: " + mounts.error().message;
  return mounts->size() == 2 ? (*mounts)[1].second.device : "skipped";
}

struct Spelling {
  const char* what;
  const char* device;
};
class FstabDevice : public testing::TestWithParam<Spelling> {};
TEST_P(FstabDevice, is_found) { EXPECT_EQ(planned(GetParam().what), GetParam().device); }

INSTANTIATE_TEST_SUITE_P(Spellings, FstabDevice,
                         testing::Values(Spelling{"UUID=BBBB-2", "/dev/sdb1"}, Spelling{"UUID=\"bbbb-2\"", "/dev/sdb1"},
                                         Spelling{"/dev/disk/by-uuid/1a2b-3c4d", "/dev/sda1"}, Spelling{"LABEL=EFI", "/dev/sda1"},
                                         Spelling{"LABEL=home dir", "/dev/sdb1"},
                                         Spelling{"/dev/disk/by-label/home\\x20dir", "/dev/sdb1"},
                                         Spelling{"PARTUUID=P-3", "/dev/sdb1"}, Spelling{"/dev/disk/by-partuuid/p-1", "/dev/sda1"},
                                         Spelling{"/dev/sda1", "/dev/sda1"}, Spelling{"/dev/vdb1", "/dev/sdb1"},
                                         Spelling{"/dev/xvdb1", "/dev/sdb1"}, Spelling{"/dev/hdb1", "/dev/sdb1"},
                                         Spelling{"/dev/nvme1n1p1", "/dev/sdb1"}, Spelling{"/dev/mmcblk0p1", "/dev/sda1"},
                                         Spelling{"/dev/my-group/var", "/dev/my-group/var"},
                                         Spelling{"/dev/mapper/my--group-var", "/dev/my-group/var"}));

TEST(PlanMounts, root_comes_first_and_deeper_ones_later) {
  const auto mounts = plan_mounts(root, {{"LABEL=EFI", "/boot/efi", "vfat", "umask=0077"}, {"UUID=aaaa-1", "/", "ext4", ""},
                                         {"/dev/vdb1", "/home", "xfs", "defaults"}}, all);
  ASSERT_TRUE(mounts.has_value());
  ASSERT_EQ(mounts->size(), 3U);
  EXPECT_EQ((*mounts)[0].first, "/");
  EXPECT_EQ((*mounts)[1].first, "/home");
  EXPECT_EQ((*mounts)[2].first, "/boot/efi");
}

TEST(PlanMounts, pseudo_network_swap_bind_and_noauto_entries_are_skipped) {
  EXPECT_EQ(planned("proc", "defaults", "proc"), "skipped");
  EXPECT_EQ(planned("tmpfs", "defaults", "tmpfs"), "skipped");
  EXPECT_EQ(planned("server:/export", "defaults", "nfs4"), "skipped");
  EXPECT_EQ(planned("sshfs#x", "defaults", "fuse.sshfs"), "skipped");
  EXPECT_EQ(planned("/srv/a", "bind", "none"), "skipped");
  EXPECT_EQ(planned("/dev/sr0", "user,noauto", "udf,iso9660"), "skipped");
  EXPECT_EQ(planned("UUID=iscsi", "_netdev", "ext4"), "skipped");
  const auto swap = plan_mounts(root, {{"UUID=nowhere", "none", "swap", "sw"}}, all);
  ASSERT_TRUE(swap.has_value());
  EXPECT_EQ(swap->size(), 1U);
}

TEST(PlanMounts, missing_device_is_an_error_unless_nofail) {
  EXPECT_NE(planned("UUID=nowhere").find("error: fstab of /dev/sda2: no disk of this machine holds UUID=nowhere"), std::string::npos);
  EXPECT_EQ(planned("UUID=nowhere", "defaults,nofail"), "skipped");
}

TEST(PlanMounts, mount_point_with_dots_is_an_error) {
  EXPECT_FALSE(plan_mounts(root, {{"LABEL=EFI", "/a/../../etc", "vfat", ""}}, all).has_value());
}

TEST(PlanMounts, two_devices_with_one_uuid_are_refused) {
  std::vector<FileSystem> twins = all;
  twins.push_back({"/dev/sdc1", "ext4", "bbbb-2", "", ""});
  const auto mounts = plan_mounts(root, {{"UUID=bbbb-2", "/home", "auto", ""}}, twins);
  ASSERT_FALSE(mounts.has_value());
  EXPECT_EQ(mounts.error().code, Errc::refused);
  EXPECT_NE(mounts.error().message.find("/dev/sdc1"), std::string::npos);
}

FileSystem subvolume(const std::string& device, const std::string& path, std::uint64_t id) {
  FileSystem fs{device, "btrfs", "u", "", ""};
  fs.subvolume = path;
  fs.subvolume_id = id;
  return fs;
}

std::string subvolume_for(const std::string& options) {
  const std::vector<FileSystem> btrfs{
      subvolume("/dev/sda1", "@/.snapshots/1/snapshot", 260), subvolume("btrfsvol:/dev/sda1/@/.snapshots/2/home", "@/.snapshots/2/home", 261),
      subvolume("btrfsvol:/dev/sda1/@/home", "@/home", 257), subvolume("btrfsvol:/dev/sda1/home", "home", 258)};
  const auto mounts = plan_mounts(btrfs[0], {{"UUID=u", "/x", "btrfs", options}}, btrfs);
  if (!mounts) return "error: " + mounts.error().message;
  return (*mounts)[1].second.device;
}

TEST(PlanMounts, btrfs_subvolume_is_chosen_by_its_path_or_number) {
  EXPECT_EQ(subvolume_for("compress=zstd,subvol=/@/home"), "btrfsvol:/dev/sda1/@/home");
  EXPECT_EQ(subvolume_for("subvol=home"), "btrfsvol:/dev/sda1/home");
  EXPECT_EQ(subvolume_for("subvolid=261"), "btrfsvol:/dev/sda1/@/.snapshots/2/home");
  EXPECT_EQ(subvolume_for("subvol=@/.snapshots/1/snapshot"), "/dev/sda1");
  EXPECT_EQ(subvolume_for("defaults"), "/dev/sda1");
}

TEST(PlanMounts, missing_btrfs_subvolume_is_not_replaced_by_the_default_one) {
  EXPECT_NE(subvolume_for("subvol=@/srv").find("error: "), std::string::npos);
  EXPECT_NE(subvolume_for("subvolid=999").find("error: "), std::string::npos);
}

}  // namespace
}  // namespace vmpatch::guest
