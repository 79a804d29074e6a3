#include <gtest/gtest.h>

#include <array>

#include "guest/mount_notes.hpp"
#include "vmpatch/guest/disks.hpp"

namespace vmpatch::guest {
namespace {

const FileSystem root{"/dev/sda2", "ext4", "aaaa-1", "rootfs", "p-2"};
const FileSystem efi{"/dev/sda1", "vfat", "1A2B-3C4D", "EFI", "p-1", "EFI System"};
const FileSystem home{"/dev/sdb1", "xfs", "bbbb-2", "home dir", "p-3"};
const FileSystem volume{"/dev/my-group/var", "ext4", "cccc-3", "", ""};
const std::vector<FileSystem> all{efi, root, home, volume};

std::string shown(const Result<std::vector<PlannedMount>>& mounts) {
  if (!mounts) return std::string(to_string(mounts.error().code)) + ": " + mounts.error().message;
  if (mounts->size() < 2) return "skipped";
  const PlannedMount& last = mounts->back();
  if (!last.bound_from.empty()) return "bound from " + last.bound_from;
  if (last.blocked) return "blocked, " + std::string(to_string(last.blocked->code)) + ": " + last.blocked->message;
  return last.file_system.device;
}

std::string planned(const std::string& what, const std::string& options = "defaults", const std::string& type = "auto",
                    const std::string& where = "/x") {
  return shown(plan_mounts(root, {{what, where, type, options}}, all));
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
                                         Spelling{"PARTLABEL=\"EFI System\"", "/dev/sda1"},
                                         Spelling{"/dev/disk/by-partlabel/EFI\\x20System", "/dev/sda1"},
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
  EXPECT_EQ((*mounts)[0].where, "/");
  EXPECT_EQ((*mounts)[1].where, "/home");
  EXPECT_EQ((*mounts)[2].where, "/boot/efi");
}

TEST(PlanMounts, what_hides_nothing_of_a_disk_is_skipped) {
  EXPECT_EQ(planned("proc", "defaults", "proc", "/proc"), "skipped");
  EXPECT_EQ(planned("tmpfs", "defaults", "tmpfs", "/tmp"), "skipped");
  EXPECT_EQ(planned("tmpfs", "defaults", "tmpfs", "/dev/shm"), "skipped");
  EXPECT_EQ(planned("tmpfs", "defaults", "tmpfs", "/run/lock"), "skipped");
  EXPECT_EQ(planned("/dev/sr0", "user,noauto", "udf,iso9660"), "skipped");
  EXPECT_EQ(planned("/x", "bind,ro", "none"), "skipped");
  EXPECT_EQ(planned("overlay", "lowerdir=/", "overlay", "/"), "skipped");
  const auto swap = plan_mounts(root, {{"UUID=nowhere", "none", "swap", "sw"}}, all);
  ASSERT_TRUE(swap.has_value());
  EXPECT_EQ(swap->size(), 1U);
}

TEST(PlanMounts, what_hides_a_disks_content_is_left_out_and_blocks_its_place) {
  for (const auto& [what, options, type] : std::vector<std::array<const char*, 3>>{{"server:/export", "defaults", "nfs4"},
                                                                                   {"sshfs#x", "defaults", "fuse.sshfs"},
                                                                                   {"UUID=bbbb-2", "_netdev", "xfs"},
                                                                                   {"/srv/tools.iso", "loop,ro", "iso9660"},
                                                                                   {"/srv/tools.img", "loop=/dev/loop3", "ext4"},
                                                                                   {"/srv/tools.iso", "ro", "iso9660"},
                                                                                   {"overlay", "lowerdir=/a,upperdir=/b,workdir=/c", "overlay"},
                                                                                   {"UUID=bbbb-2", "sb=131072", "xfs"},
                                                                                   {"UUID=bbbb-2", "offset=4096", "xfs"},
                                                                                   {"UUID=bbbb-2", "X-mount.subdir=old", "xfs"},
                                                                                   {"/srv/../a", "bind", "none"},
                                                                                   {"srv", "rbind", "none"},
                                                                                   {"/srv/a", "defaults", "none"}}) {
    const auto mounts = plan_mounts(root, {{what, "/x", type, options}}, all);
    EXPECT_EQ(shown(mounts).find("blocked, refused: fstab of /dev/sda2: " + std::string(what) + " (" + type + ") for /x is "), 0U) << shown(mounts);
    ASSERT_TRUE(mounts);
    EXPECT_TRUE(mounts->back().left_out);
    EXPECT_EQ(planned(what, options, type, "/usr").find("refused: fstab of /dev/sda2: "), 0U) << planned(what, options, type, "/usr");
  }
  for (const char* type : {"vboxsf", "9p", "virtiofs", "zfs", "ocfs2", "gpfs", "lustre", "davfs", "ecryptfs", "ext4"}) {
    EXPECT_EQ(planned("share", "defaults", type).find("blocked, refused: "), 0U) << type;
  }
}

TEST(PlanMounts, memory_is_empty_and_an_error_at_a_vital_place) {
  EXPECT_EQ(planned("tmpfs", "size=1g", "tmpfs").find("blocked, not_found: fstab of /dev/sda2: tmpfs (tmpfs) for /x hides what the disk has"), 0U);
  EXPECT_EQ(planned("/run/x", "bind", "none").find("blocked, not_found: "), 0U);
  EXPECT_EQ(planned("tmpfs", "defaults", "tmpfs", "/var/lib/dpkg").find("refused: fstab of /dev/sda2: "), 0U);
}

TEST(PlanMounts, what_is_mounted_by_hand_is_skipped_but_at_a_vital_place) {
  EXPECT_EQ(planned("UUID=bbbb-2", "noauto"), "skipped");
  EXPECT_EQ(planned("UUID=bbbb-2", "noauto,x-systemd.automount"), "/dev/sdb1");
  EXPECT_EQ(planned("UUID=bbbb-2", "noauto,x-systemd.required-by=multi-user.target"), "/dev/sdb1");
  EXPECT_EQ(planned("UUID=bbbb-2", "noauto", "xfs", "/boot").find("refused: "), 0U);
}

std::string order_of(const std::vector<MountEntry>& fstab) {
  const auto mounts = plan_mounts(root, fstab, all);
  if (!mounts) return std::string(to_string(mounts.error().code)) + ": " + mounts.error().message;
  std::string order;
  for (const auto& mount : *mounts) order += (order.empty() ? "" : " ") + mount.where + (mount.blocked ? "(blocked)" : "");
  return order;
}

TEST(PlanMounts, bind_comes_behind_what_it_needs_and_before_what_lies_in_it) {
  EXPECT_EQ(planned("/srv/var/", "bind", "none", "/var"), "bound from /srv/var");
  EXPECT_EQ(order_of({{"/srv/deep/var", "/var", "none", "rbind"}, {"UUID=bbbb-2", "/srv/deep", "xfs", ""}, {"LABEL=EFI", "/var/log", "vfat", ""}}),
            "/ /srv/deep /var /var/log");
  EXPECT_EQ(order_of({{"/b/x", "/a", "none", "bind"}, {"/a/x", "/b", "none", "bind"}, {"UUID=bbbb-2", "/a/y", "xfs", ""}}), "/ /a(blocked) /b /a/y");
  EXPECT_EQ(order_of({{"/b/x", "/var", "none", "bind"}, {"/var/x", "/b", "none", "bind"}}).find("refused: fstab: the bind mount of /b/x at /var"), 0U);
}

TEST(PlanMounts, what_is_left_out_stays_over_what_is_mounted_at_the_same_place) {
  EXPECT_EQ(order_of({{"UUID=bbbb-2", "/x", "xfs", ""}, {"nas:/old", "/x", "nfs", ""}}), "/ /x /x(blocked)");
}

TEST(PlanMounts, foreign_file_system_at_a_vital_place_is_an_error) {
  EXPECT_NE(planned("pool/var", "defaults", "zfs", "/var").find("refused: fstab of /dev/sda2: pool/var (zfs) for /var is not on a disk of this machine; patch it while"), std::string::npos)
      << planned("pool/var", "defaults", "zfs", "/var");
  EXPECT_NE(planned("server:/usr", "defaults", "nfs", "/usr/").find("refused: "), std::string::npos);
}

TEST(PlanMounts, missing_device_blocks_its_mount_point_whatever_its_options_are) {
  for (const char* options : {"defaults", "defaults,nofail"}) {
    EXPECT_EQ(planned("UUID=nowhere", options),
              "blocked, not_found: no disk of this machine holds UUID=nowhere for /x; add the missing disk or correct the entry");
  }
  EXPECT_NE(planned("/dev/sdz1").find("blocked, not_found"), std::string::npos);
  EXPECT_NE(planned("PARTLABEL=nowhere").find("blocked, not_found"), std::string::npos);
}

TEST(PlanMounts, missing_device_of_a_vital_place_is_an_error) {
  for (const char* where : {"/var", "/usr", "/boot", "/var/lib/", "/etc/ssh"}) {
    EXPECT_EQ(planned("UUID=nowhere", "nofail", "auto", where).find("failed: fstab of /dev/sda2: no disk of this machine holds UUID=nowhere for "),
              0U)
        << planned("UUID=nowhere", "nofail", "auto", where);
  }
  EXPECT_EQ(planned("UUID=nowhere", "nofail", "auto", "/var/lib/docker").find("blocked"), 0U);
}

TEST(PlanMounts, device_named_by_its_hardware_blocks_or_is_an_error_with_a_remedy) {
  EXPECT_EQ(planned("/dev/disk/by-id/scsi-1"),
            "blocked, not_found: fstab names /dev/disk/by-id/scsi-1 for /x, which only the running machine can tell; name it by UUID= there");
  EXPECT_EQ(planned("/dev/disk/by-path/pci-0", "defaults", "ext4", "/var").find("failed: "), 0U);
}

TEST(PlanMounts, name_that_an_unread_file_system_may_have_is_for_another_adapter) {
  std::vector<FileSystem> some = all;
  some.push_back({"/dev/sdd1", "", "", "", "p-9"});
  some.back().names_known = false;
  const auto at = [&](const char* what, const char* where) { return shown(plan_mounts(root, {{what, where, "auto", ""}}, some)); };
  EXPECT_EQ(at("UUID=nowhere", "/x").find("blocked, unsupported: "), 0U) << at("UUID=nowhere", "/x");
  EXPECT_EQ(at("LABEL=nowhere", "/var").find("unsupported: "), 0U) << at("LABEL=nowhere", "/var");
  EXPECT_EQ(at("PARTUUID=nowhere", "/x").find("blocked, not_found: "), 0U);
  EXPECT_EQ(at("/dev/sdz1", "/x").find("blocked, not_found: "), 0U);
  EXPECT_EQ(at("UUID=bbbb-2", "/x"), "/dev/sdb1");
}

TEST(PlanMounts, mount_point_with_one_missing_and_one_present_device_is_mounted) {
  const auto mounts = plan_mounts(root, {{"/dev/vdb1", "/x", "auto", ""}, {"UUID=nowhere", "/x/", "auto", "nofail"}}, all);
  EXPECT_EQ(shown(mounts), "/dev/sdb1");
  EXPECT_EQ(mounts->size(), 2U);
}

TEST(PlanMounts, table_with_more_mount_points_than_any_guest_has_is_failed) {
  const std::vector<MountEntry> many(max_mount_points + 1, MountEntry{"UUID=nowhere", "/x", "ext4", ""});
  EXPECT_EQ(shown(plan_mounts(root, many, all)).find("failed: "), 0U);
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
  if (device != "/dev/sda1") fs.holder = "/dev/sda1";
  return fs;
}

std::string subvolume_for(const std::string& options, const std::string& what = "UUID=u") {
  const std::vector<FileSystem> btrfs{
      subvolume("/dev/sda1", "@/.snapshots/1/snapshot", 260), subvolume("btrfsvol:/dev/sda1/@/.snapshots/2/home", "@/.snapshots/2/home", 261),
      subvolume("btrfsvol:/dev/sda1/@/home", "@/home", 257), subvolume("btrfsvol:/dev/sda1/home", "home", 258)};
  const auto mounts = plan_mounts(btrfs[0], {{what, "/x", "btrfs", options}}, btrfs);
  return shown(mounts);
}

TEST(PlanMounts, btrfs_subvolume_is_chosen_by_its_path_or_number) {
  EXPECT_EQ(subvolume_for("compress=zstd,subvol=/@/home"), "btrfsvol:/dev/sda1/@/home");
  EXPECT_EQ(subvolume_for("subvol=home"), "btrfsvol:/dev/sda1/home");
  EXPECT_EQ(subvolume_for("subvol=home", "/dev/vda1"), "btrfsvol:/dev/sda1/home");
  EXPECT_EQ(subvolume_for("subvolid=261"), "btrfsvol:/dev/sda1/@/.snapshots/2/home");
  EXPECT_EQ(subvolume_for("subvol=@/.snapshots/1/snapshot"), "/dev/sda1");
  EXPECT_EQ(subvolume_for("defaults"), "/dev/sda1");
}

TEST(PlanMounts, missing_btrfs_subvolume_is_not_replaced_by_the_default_one) {
  EXPECT_NE(subvolume_for("subvol=@/srv").find("blocked"), std::string::npos);
  EXPECT_NE(subvolume_for("subvolid=999").find("blocked"), std::string::npos);
}

TEST(MountNotes, are_few_short_and_escaped) {
  MountNotes notes;
  EXPECT_EQ(notes.text(), "");
  notes.add("/a\x1b", "why");
  EXPECT_EQ(notes.text(), "; not mounted: /a\\x1B (why)");
  for (int i = 0; i < 1000; ++i) notes.add("/" + std::string(5000, 'b'), std::string(5000, 'w'));
  EXPECT_LT(notes.text().size(), 3000U);
  EXPECT_TRUE(notes.text().ends_with(" and 993 more")) << notes.text();
}

}  // namespace
}  // namespace vmpatch::guest
