// Several disks and partitions: which one is the root, what joins it, and what is refused.
#include <csignal>

#include "integration/guest_direct/guest_images.hpp"

namespace vmpatch::guest::direct::test {
namespace {

using namespace std::string_literals;

constexpr std::uint64_t mib = 1U << 20U;
const std::string data_uuid = "3e6be9de-8139-11d1-9106-a43f08d823a6";

/// Root on partition 2, /var (by UUID) on 3, /usr (by LABEL) on 5, /srv (by PARTUUID) on 6, swap on 7.
class Partitions : public testing::TestWithParam<std::string> {};

TEST_P(Partitions, separate_file_systems_are_joined_by_fstab) {
  const TempDir dir;
  const bool gpt = GetParam() == "gpt";
  const fs::path disk = empty_disk(dir, "disk", 200 * mib);
  if (gpt) {
    tool({"sfdisk", "-q", disk},
         "label: gpt\n1: start=2048,size=4096\n2: start=8192,size=65536\n3: start=73728,size=65536\n5: "
         "start=141312,size=65536\n"
         "6: start=208896,size=65536,uuid=6A5C1F7E-0B1D-4E0C-9C1B-3D2E1F0A9B8C\n7: start=276480,size=65536\n");
  } else {
    tool({"sfdisk", "-q", disk},
         "label: dos\nlabel-id: 0x1234abcd\n1: start=2048,size=4096,type=83\n2: start=8192,size=65536,type=83\n"
         "3: start=73728,size=65536,type=83\n4: start=139264,size=266240,type=5\n5: start=141312,size=65536,type=83\n"
         "6: start=208896,size=65536,type=83\n7: start=276480,size=65536,type=82\n");
  }
  const std::string part_uuid = gpt ? "6a5c1f7e-0b1d-4e0c-9c1b-3d2e1f0a9b8c" : "1234abcd-06";
  write_root(dir, "root",
             "UUID=" + data_uuid + " /var ext4 defaults 0 2\nLABEL=the-usr /usr ext4 ro 0 2\nPARTUUID=" + part_uuid +
                 " /srv ext3 defaults 0 2\n/dev/vda7 none swap sw 0 0\nproc /proc proc defaults 0 0\n");
  fs::remove(dir / "root/etc/os-release");
  fs::create_symlink("../usr/lib/os-release", dir / "root/etc/os-release");
  for (const char* name : {"var", "usr", "srv"}) fs::create_directory(dir / "root" / name);
  dir.write("var/lib/dpkg/status", "Package: x\n");
  dir.write("usr/lib/os-release", "ID=debian\n");
  fs::create_symlink("../../etc/passwd", dir / "var/lib/passwd");
  dir.write("srv/data", "served");
  put(make_file_system(dir, "p2", dir / "root", {"-t", "ext4"}, "32M"), disk, 8192 * 512);
  put(make_file_system(dir, "p3", dir / "var", {"-t", "ext4", "-U", data_uuid}, "32M"), disk, 73728 * 512);
  put(make_file_system(dir, "p5", dir / "usr", {"-t", "ext2", "-L", "the-usr"}, "32M"), disk, 141312 * 512);
  put(make_file_system(dir, "p6", dir / "srv", {"-t", "ext3"}, "32M"), disk, 208896 * 512);
  const Machine machine(dir, {disk});
  ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
  Guest& guest = **machine.guest;
  EXPECT_EQ(
      guest.access(),
      "direct: /dev/sda2 (ext4) on /, /dev/sda3 (ext4) on /var, /dev/sda5 (ext2) on /usr, /dev/sda6 (ext3) on /srv");
  EXPECT_EQ(guest.read("/etc/os-release", 100).value_or(""), "ID=debian\n");
  EXPECT_EQ(guest.read("/var/lib/dpkg/status", 100).value_or(""), "Package: x\n");
  EXPECT_EQ(guest.read("/srv/data", 100).value_or(""), "served");
  // ".." leaves a mounted file system for the one below, and a link in it does too.
  EXPECT_EQ(guest.read("/var/../etc/passwd", 100).value_or("").substr(0, 4), "root");
  EXPECT_EQ(guest.read("/var/lib/passwd", 100).value_or("").substr(0, 4), "root");
  EXPECT_FALSE(machine.hibernated);
}
INSTANTIATE_TEST_SUITE_P(Tables, Partitions, testing::Values("gpt", "mbr"),
                         [](const auto& table) { return table.param; });

TEST(Machines, second_disk_is_joined_by_device_name_of_another_bus) {
  const TempDir dir;
  write_root(dir, "root", "/dev/vdb /home ext4 defaults 0 2\n");
  fs::create_directory(dir / "root/home");
  dir.write("home/user/file", "mine");
  const Machine machine(dir, {make_file_system(dir, "one", dir / "root", {"-t", "ext4"}),
                              make_file_system(dir, "two", dir / "home", {"-t", "ext4"})});
  ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
  EXPECT_EQ((*machine.guest)->read("/home/user/file", 100).value_or(""), "mine");
}

TEST(Machines, without_an_operating_system_are_refused) {
  const TempDir dir;
  dir.write("data/file", "just data");
  for (const auto& disk :
       {make_file_system(dir, "data-disk", dir / "data", {"-t", "ext4"}), empty_disk(dir, "empty", 8 * mib)}) {
    const Machine machine(dir, {disk});
    EXPECT_EQ(code_of(machine.guest), Errc::refused) << error_of(machine);
    EXPECT_NE(error_of(machine).find("no operating system found on /dev/sda ("), std::string::npos) << error_of(machine);
  }
}

TEST(Machines, with_two_operating_systems_are_refused_by_name) {
  const TempDir dir;
  write_root(dir, "root");
  const Machine machine(dir, {make_file_system(dir, "one", dir / "root", {"-t", "ext4"}),
                              make_file_system(dir, "two", dir / "root", {"-t", "ext3"})});
  EXPECT_EQ(code_of(machine.guest), Errc::refused) << error_of(machine);
  EXPECT_NE(error_of(machine).find("/dev/sda, /dev/sdb"), std::string::npos) << error_of(machine);
}

TEST(Machines, dirty_journal_is_for_the_appliance) {
  const TempDir dir;
  write_root(dir, "root");
  const fs::path disk = make_file_system(dir, "disk", dir / "root", {"-t", "ext4"});
  tool({"debugfs", "-w", "-R", "feature needs_recovery", disk});
  const Machine machine(dir, {disk});
  EXPECT_EQ(code_of(machine.guest), Errc::unsupported) << error_of(machine);
  EXPECT_NE(error_of(machine).find("journal needs recovery"), std::string::npos) << error_of(machine);
}

TEST(Machines, unknown_feature_flag_is_for_the_appliance) {
  const TempDir dir;
  write_root(dir, "root");
  const fs::path disk = make_file_system(dir, "disk", dir / "root", {"-t", "ext2"});
  overwrite(disk, 1024 + 99, "\x40");
  const Machine machine(dir, {disk});
  EXPECT_EQ(code_of(machine.guest), Errc::unsupported) << error_of(machine);
}

TEST(Machines, file_system_larger_than_its_device_fails) {
  const TempDir dir;
  write_root(dir, "root");
  const fs::path disk = make_file_system(dir, "disk", dir / "root", {"-t", "ext4"});
  fs::resize_file(disk, 40 * mib);
  const Machine machine(dir, {disk});
  EXPECT_EQ(code_of(machine.guest), Errc::failed) << error_of(machine);
  EXPECT_NE(error_of(machine).find("cut off"), std::string::npos) << error_of(machine);
}

/// A root with this fstab and these folders.
fs::path root_with(const TempDir& dir, const std::string& fstab, const std::vector<std::string>& folders) {
  write_root(dir, "root", fstab);
  for (const std::string& folder : folders) fs::create_directories(dir / "root" / folder);
  return make_file_system(dir, "root-disk", dir / "root", {"-t", "ext4"});
}

struct Magic {
  std::string name;
  std::uint64_t offset;
  std::string bytes;
};
class Foreign : public testing::TestWithParam<Magic> {};

TEST_P(Foreign, content_is_for_the_appliance_alone_or_beside_a_root) {
  const TempDir dir;
  const fs::path foreign = empty_disk(dir, "foreign", 8 * mib);
  overwrite(foreign, GetParam().offset, GetParam().bytes);
  const Machine alone(dir, {foreign});
  EXPECT_EQ(code_of(alone.guest), Errc::unsupported) << error_of(alone);
  EXPECT_NE(error_of(alone).find(GetParam().name), std::string::npos) << error_of(alone);
  const TempDir both;
  write_root(both, "root");
  const Machine beside(both, {make_file_system(both, "root-disk", both / "root", {"-t", "ext4"}), foreign});
  EXPECT_EQ(code_of(beside.guest), Errc::unsupported) << error_of(beside);
}
INSTANTIATE_TEST_SUITE_P(Types, Foreign,
                         testing::Values(Magic{"xfs", 0, "XFSB"},
                                         Magic{"LVM2_member", 512, "LABELONE"s + std::string(16, '\0') + "LVM2 001"},
                                         Magic{"btrfs", 65600, "_BHRfS_M"},
                                         Magic{"linux_raid_member", 4096, "\xfc\x4e\x2b\xa9"},
                                         Magic{"linux_raid_member", 8 * mib - 8192, "\xfc\x4e\x2b\xa9"},
                                         Magic{"linux_raid_member", 8 * mib - 65536, "\xfc\x4e\x2b\xa9"}));

class Closed : public testing::TestWithParam<Magic> {};

TEST_P(Closed, content_that_no_appliance_opens_is_refused_alone_and_no_obstacle_beside_a_root) {
  const TempDir dir;
  const fs::path closed = empty_disk(dir, "closed", 8 * mib);
  overwrite(closed, GetParam().offset, GetParam().bytes);
  const Machine alone(dir, {closed});
  EXPECT_EQ(code_of(alone.guest), Errc::refused) << error_of(alone);
  EXPECT_NE(error_of(alone).find("no operating system found on /dev/sda (" + GetParam().name + ")"), std::string::npos) << error_of(alone);
  const TempDir both;
  write_root(both, "root");
  const Machine beside(both, {make_file_system(both, "root-disk", both / "root", {"-t", "ext4"}), closed});
  ASSERT_TRUE(beside.guest.has_value()) << error_of(beside);
  EXPECT_TRUE((*beside.guest)->read("/etc/passwd", 100).has_value());
}
INSTANTIATE_TEST_SUITE_P(Types, Closed,
                         testing::Values(Magic{"crypto_LUKS", 0, "LUKS\xba\xbe"}, Magic{"BitLocker", 3, "-FVE-FS-"},
                                         Magic{"ntfs", 3, "NTFS    "}, Magic{"jfs", 32768, "JFS1"}));

TEST(Machines, place_on_an_encrypted_disk_is_closed_and_a_vital_one_an_error) {
  const TempDir dir;
  const fs::path closed = empty_disk(dir, "closed", 8 * mib);
  overwrite(closed, 0, "LUKS\xba\xbe");
  const Machine machine(dir, {root_with(dir, "/dev/mapper/home_crypt /home ext4 defaults 0 2\n", {"home"}), closed});
  ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
  const auto below = (*machine.guest)->list("/home");
  ASSERT_EQ(code_of(below), Errc::not_found);
  EXPECT_NE(below.error().message.find("it may be inside of /dev/sdb, which is encrypted"), std::string::npos) << below.error().message;
  const TempDir vital;
  const Machine without_var(vital, {root_with(vital, "/dev/mapper/var_crypt /var ext4 defaults 0 2\n", {"var"}), closed});
  EXPECT_EQ(code_of(without_var.guest), Errc::failed) << error_of(without_var);
  EXPECT_NE(error_of(without_var).find("/dev/sdb, which is encrypted"), std::string::npos) << error_of(without_var);
}

TEST(Machines, foreign_data_disk_of_the_mount_table_blocks_only_itself) {
  const TempDir dir;
  write_root(dir, "root", "/dev/sdb /data xfs defaults 0 2\n");
  fs::create_directory(dir / "root/data");
  const fs::path data = empty_disk(dir, "data", 8 * mib);
  overwrite(data, 0, "XFSB");
  const Machine machine(dir, {make_file_system(dir, "one", dir / "root", {"-t", "ext4"}), data});
  ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
  EXPECT_TRUE((*machine.guest)->read("/etc/passwd", 100).has_value());
  EXPECT_EQ(code_of((*machine.guest)->read("/data/file", 100)), Errc::unsupported);
}

TEST(Machines, foreign_var_is_for_the_appliance) {
  const TempDir dir;
  write_root(dir, "root", "/dev/sdb /var xfs defaults 0 2\n");
  fs::create_directory(dir / "root/var");
  const fs::path data = empty_disk(dir, "data", 8 * mib);
  overwrite(data, 0, "XFSB");
  const Machine machine(dir, {make_file_system(dir, "one", dir / "root", {"-t", "ext4"}), data});
  EXPECT_EQ(code_of(machine.guest), Errc::unsupported) << error_of(machine);
}

TEST(Machines, missing_device_blocks_its_mount_point_and_what_lies_below) {
  const TempDir dir;
  dir.write("data/file", "x");
  const Machine machine(dir, {root_with(dir, "UUID=" + data_uuid + " /mnt/usb ext4 defaults 0 2\n/dev/sdb /mnt/usb/deep ext4 defaults 0 2\n"
                                             "/mnt/usb/swap none swap sw 0 0\n/dev/disk/by-id/ata-1 /srv ext4 nofail 0 2\n",
                                        {"mnt/usb/deep", "srv"}),
                              make_file_system(dir, "data-disk", dir / "data", {"-t", "ext4"})});
  ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
  Guest& guest = **machine.guest;
  const auto below = guest.read("/mnt/usb/file", 100);
  ASSERT_EQ(code_of(below), Errc::not_found);
  EXPECT_EQ(below.error().message,
            "no disk of this machine holds UUID=" + data_uuid + " for /mnt/usb; add the missing disk or correct the entry");
  EXPECT_EQ(code_of(guest.read("/mnt/usb/deep/file", 100)), Errc::not_found);
  EXPECT_EQ(code_of(guest.list("/srv")), Errc::not_found);
  const auto digests = guest.digests({"/mnt/usb/file", "/etc/passwd"});
  ASSERT_TRUE(digests.has_value()) << digests.error().message;
  EXPECT_FALSE((*digests)[0].has_value());
  EXPECT_TRUE((*digests)[1].has_value());
  EXPECT_NE(guest.access().find("/mnt/usb (no disk of this machine holds"), std::string::npos) << guest.access();
  EXPECT_NE(guest.access().find("/mnt/usb/deep (it lies below one that is not mounted)"), std::string::npos) << guest.access();
}

TEST(Machines, missing_device_of_a_vital_place_fails_unless_a_disk_that_is_not_recognised_may_be_it) {
  const TempDir dir;
  const fs::path disk = root_with(dir, "UUID=" + data_uuid + " /var ext4 defaults 0 2\n", {"var"});
  const Machine alone(dir, {disk});
  EXPECT_EQ(code_of(alone.guest), Errc::failed) << error_of(alone);
  EXPECT_NE(error_of(alone).find("add the missing disk"), std::string::npos) << error_of(alone);
  const TempDir other;
  fs::copy(disk, other / "root-disk");
  const Machine beside(other, {other / "root-disk", empty_disk(other, "unknown", 8 * mib)});
  EXPECT_EQ(code_of(beside.guest), Errc::unsupported) << error_of(beside);
}

TEST(Machines, label_that_only_a_reader_of_exfat_sees_is_for_the_appliance) {
  const TempDir dir;
  const fs::path disk = root_with(dir, "LABEL=share /srv exfat defaults 0 2\n", {"srv"});
  const fs::path share = empty_disk(dir, "share", 8 * mib);
  overwrite(share, 3, "EXFAT   ");
  const Machine machine(dir, {disk, share});
  ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
  EXPECT_EQ(code_of((*machine.guest)->list("/srv")), Errc::unsupported);
}

TEST(Machines, missing_mount_point_is_left_out_unless_it_is_vital) {
  const TempDir dir;
  dir.write("data/file", "x");
  const fs::path data = make_file_system(dir, "data-disk", dir / "data", {"-t", "ext4"});
  const Machine machine(dir, {root_with(dir, "/dev/sdb /srv/data ext4 nofail 0 2\n", {}), data});
  ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
  EXPECT_EQ((*machine.guest)->access(), "direct: /dev/sda (ext4) on /; not mounted: /srv/data (there is no such directory)");
  const TempDir other;
  fs::copy(data, other / "data-disk");
  const Machine vital(other, {root_with(other, "/dev/sdb /var ext4 defaults 0 2\n", {}), other / "data-disk"});
  EXPECT_EQ(code_of(vital.guest), Errc::failed) << error_of(vital);
  EXPECT_NE(error_of(vital).find("there is no directory /var to mount /dev/sdb on"), std::string::npos) << error_of(vital);
}

TEST(Machines, bind_mounts_show_what_the_guest_will_see) {
  const TempDir dir;
  dir.write("root/srv/var/lib/dpkg/status", "Package: true\n");
  dir.write("root/var/lib/dpkg/status", "Package: hidden\n");
  dir.write("root/opt/old/tool", "old");
  dir.write("root/usr/bin/tool", "new");
  const Machine machine(dir, {root_with(dir, "/srv/var /var none rbind 0 0\n/opt/old/tool /usr/bin/tool none bind,ro 0 0\n/srv /srv none bind,nodev 0 0\n", {})});
  ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
  Guest& guest = **machine.guest;
  EXPECT_EQ(guest.read("/var/lib/dpkg/status", 100).value_or(""), "Package: true\n");
  EXPECT_EQ(guest.read("/usr/bin/tool", 100).value_or(""), "old");
  EXPECT_EQ((*guest.digests({"/usr/bin/tool"}))[0], sha256("old"));
  EXPECT_EQ(guest.access(), "direct: /dev/sda (ext4) on /, /srv/var on /var, /opt/old/tool on /usr/bin/tool");
}

TEST(Machines, what_hides_the_disk_answers_with_its_line_of_the_mount_table) {
  for (const char* line : {"nas:/old /usr/lib/demo nfs ro 0 0", "/srv/old.img /usr/lib/demo ext4 defaults 0 0", "overlay /usr/lib/demo overlay lowerdir=/a 0 0",
                           "/srv/none /usr/lib/demo none bind 0 0", "nas:/old /usr/lib nfs ro 0 0", "nas:/old /link/lib/demo nfs ro 0 0"}) {
    const TempDir other;
    other.write("root/usr/lib/demo/file", "new");
    fs::create_symlink("usr", other / "root/link");
    const Machine machine(other, {root_with(other, line + "\n"s, {})});
    if (!machine.guest) {
      EXPECT_EQ(code_of(machine.guest), Errc::refused) << line;
      EXPECT_NE(error_of(machine).find("fstab of /dev/sda: nas:/old (nfs) for /usr/lib is not on a disk"), std::string::npos) << error_of(machine);
      continue;
    }
    const auto digests = (*machine.guest)->digests({"/usr/lib/demo/file"});
    ASSERT_FALSE(digests) << line;
    EXPECT_EQ(digests.error().code, Errc::refused) << line;
    EXPECT_NE(digests.error().message.find("fstab"), std::string::npos) << digests.error().message;
    EXPECT_EQ(code_of((*machine.guest)->lstat("/usr/lib/demo/file")), Errc::refused) << line;
    EXPECT_TRUE((*machine.guest)->read("/etc/passwd", 100).has_value()) << line;
  }
}

TEST(Machines, mount_point_that_systemd_will_make_answers_too) {
  const TempDir dir;
  dir.write("root/opt/file", "x");
  fs::create_symlink("opt", dir / "root/link");
  const Machine machine(dir, {root_with(dir, "nas:/old /link/demo/deep nfs ro 0 0\n", {})});
  ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
  EXPECT_EQ(code_of((*machine.guest)->lstat("/opt/demo/deep/file")), Errc::refused);
  EXPECT_EQ(code_of((*machine.guest)->lstat("/opt/demo/other")), Errc::not_found);
}

TEST(Machines, usual_lines_of_a_mount_table_are_no_obstacle) {
  const TempDir dir;
  dir.write("root/tmp/file", "x");
  const Machine machine(dir, {root_with(dir, "proc /proc proc defaults 0 0\ntmpfs /tmp tmpfs nosuid 0 0\ntmpfs /run tmpfs size=10% 0 0\n/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0\n"
                                             "nas:/home /home nfs _netdev 0 0\n/srv/data /data none bind 0 0\n/swapfile none swap sw 0 0\ntmpfs /var/log tmpfs size=20m 0 0\n",
                                        {"proc", "run", "media/cdrom0", "home", "srv/data", "data", "var/log"})});
  ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
  EXPECT_EQ((*machine.guest)->access(),
            "direct: /dev/sda (ext4) on /, /srv/data on /data; not mounted: /home (fstab of /dev/sda: nas:/home (nfs) for /home is not on a disk of this machine; patch it while it runs)");
  EXPECT_EQ((*machine.guest)->read("/etc/passwd", 100).value_or("").substr(0, 4), "root");
}

TEST(Machines, place_is_that_of_one_mount_though_its_file_system_is_seen_twice) {
  const TempDir dir;
  dir.write("root/usr/lib/demo/file", "old");
  dir.write("good/file", "new");
  const Machine machine(dir, {root_with(dir, "/dev/sda /mnt ext4 ro 0 0\n/dev/sdb /mnt/usr/lib/demo ext4 ro 0 0\n", {"mnt"}),
                              make_file_system(dir, "good-disk", dir / "good", {"-t", "ext4"})});
  ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
  EXPECT_EQ((*machine.guest)->read("/mnt/usr/lib/demo/file", 100).value_or(""), "new");
  EXPECT_EQ((*machine.guest)->read("/usr/lib/demo/file", 100).value_or(""), "old");
}

TEST(Machines, mounts_below_either_end_of_a_bind_mount_are_closed) {
  for (const char* where : {"/opt/real/sub", "/opt/bound/sub", "/opt/bound"}) {
    const TempDir dir;
    dir.write("root/opt/real/sub/file", "old");
    fs::create_symlink("real", dir / "root/opt/link");
    dir.write("good/file", "new");
    const Machine machine(dir, {root_with(dir, fmt::format("/opt/link /opt/bound none rbind 0 0\n/dev/sdb {} ext4 ro 0 0\n", where), {"opt/bound/sub"}),
                                make_file_system(dir, "good-disk", dir / "good", {"-t", "ext4"})});
    ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
    const auto read = (*machine.guest)->read("/opt/bound/sub/file", 100);
    EXPECT_EQ(code_of(read), Errc::refused) << where << read.value_or("");
  }
}

TEST(Machines, partition_is_found_by_its_name_in_the_table) {
  const TempDir dir;
  dir.write("data/file", "mine");
  const fs::path disk = empty_disk(dir, "disk", 140 * mib);
  tool({"sfdisk", "-q", disk}, "label: gpt\n1: start=2048,size=131072\n2: start=133120,size=131072,name=\"the data\"\n");
  put(root_with(dir, "PARTLABEL=the\\040data /srv ext4 defaults 0 2\n", {"srv"}), disk, mib);
  put(make_file_system(dir, "data-disk", dir / "data", {"-t", "ext4"}), disk, 65 * mib);
  const Machine machine(dir, {disk});
  ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
  EXPECT_EQ((*machine.guest)->read("/srv/file", 10).value_or(""), "mine");
}

class Hibernated : public testing::TestWithParam<std::pair<std::string, std::size_t>> {};

TEST_P(Hibernated, swap_partition_and_swap_file_are_noticed) {
  const auto& [magic, page] = GetParam();
  const TempDir dir;
  write_root(dir, "root", "/swapfile none swap sw 0 0\n");
  const fs::path swap = empty_disk(dir, "swap", 8 * mib);
  tool({"mkswap", "-q", "-p", std::to_string(page), swap});
  fs::copy(swap, dir / "root/swapfile");
  const fs::path awake = make_file_system(dir, "awake", dir / "root", {"-t", "ext4"});
  const Machine running(dir, {awake, swap});
  ASSERT_TRUE(running.guest.has_value()) << error_of(running);
  EXPECT_FALSE(running.hibernated);

  overwrite(dir / "root/swapfile", page - 10, magic);
  const Machine by_file(dir, {make_file_system(dir, "asleep", dir / "root", {"-t", "ext4"})});
  ASSERT_TRUE(by_file.guest.has_value()) << error_of(by_file);
  EXPECT_TRUE(by_file.hibernated);

  // The journal of a hibernated root is dirty: the state must be told all the same.
  const TempDir other;
  fs::copy(swap, other / "swap");
  overwrite(other / "swap", page - 10, magic);
  tool({"debugfs", "-w", "-R", "feature needs_recovery", awake});
  const Machine by_partition(other, {awake, other / "swap"});
  EXPECT_EQ(code_of(by_partition.guest), Errc::unsupported) << error_of(by_partition);
  EXPECT_TRUE(by_partition.hibernated);
}
INSTANTIATE_TEST_SUITE_P(Signatures, Hibernated,
                         testing::Values(std::pair("S1SUSPEND\0"s, 4096U), std::pair("S2SUSPEND\0"s, 4096U),
                                         std::pair("ULSUSPEND\0"s, 4096U), std::pair("LINHIB0001"s, 65536U)));

TEST(Machines, server_that_went_away_is_an_error_of_the_next_read) {
  const TempDir dir;
  write_root(dir, "root");
  dir.write("root/big", std::string(20 * mib, 'x'));
  const Machine machine(dir, {make_file_system(dir, "disk", dir / "root", {"-t", "ext4"})});
  ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
  ASSERT_EQ(::kill(machine.served[0]->pid(), SIGKILL), 0);
  EXPECT_EQ(code_of((*machine.guest)->read("/big", 20 * mib)), Errc::failed);
}

TEST(Machines, server_that_hangs_up_at_once_fails) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  ::close(ends[1]);
  std::vector<Connection> connections;
  connections.push_back({UniqueFd(ends[0]), "gone", 0});
  bool hibernated = true;
  EXPECT_EQ(code_of(direct::open(std::move(connections), &hibernated)), Errc::failed);
  EXPECT_FALSE(hibernated);
}

/// The kernel of the guest finds an entry by the hash of its name, which may be the second one.
TEST(Damage, name_that_a_folder_has_twice_is_an_error_of_every_reading) {
  const TempDir dir;
  write_root(dir, "root");
  dir.write("root/usr/bin/tool", "new");
  dir.write("root/usr/bin/other", "other");
  dir.write("root/usr/bin/twin", "old");
  const fs::path disk = make_file_system(dir, "disk", dir / "root", {"-t", "ext4", "-O", "^metadata_csum"});
  std::ifstream whole(disk, std::ios::binary);
  const std::string image{std::istreambuf_iterator<char>(whole), {}};
  const auto entry = image.find("\x04\x01twin"s);
  ASSERT_NE(entry, std::string::npos);
  overwrite(disk, entry, "\x04\x01tool"s);
  const Machine machine(dir, {disk});
  ASSERT_TRUE(machine.guest.has_value()) << error_of(machine);
  Guest& guest = **machine.guest;
  const auto digests = guest.digests({"/usr/bin/tool"});
  ASSERT_EQ(code_of(digests), Errc::failed);
  EXPECT_NE(digests.error().message.find("holds the name tool twice, and the guest may open the other one; run e2fsck -f"), std::string::npos)
      << digests.error().message;
  EXPECT_EQ(code_of(guest.read("/usr/bin/tool", 10)), Errc::failed);
  EXPECT_EQ(code_of(guest.stat("/usr/bin/tool")), Errc::failed);
  EXPECT_EQ(code_of(guest.lstat("/usr/bin/tool")), Errc::failed);
  EXPECT_EQ(code_of(guest.list("/usr/bin")), Errc::failed);
  EXPECT_EQ(guest.read("/usr/bin/other", 10).value_or(""), "other");
}

/// Damage by chance must end in values or errors: with sanitizers this is the test of the whole adapter.
TEST(Damage, random_bytes_in_metadata_never_end_the_process) {
  const TempDir dir;
  write_root(dir, "root");
  for (int i = 0; i < 300; ++i)
    dir.write(fmt::format("root/d{}/file-{}", i % 7, i), std::string(static_cast<std::size_t>(i) * 50, 'f'));
  for (const std::vector<std::string>& options :
       {std::vector<std::string>{"-t", "ext4", "-O", "inline_data,^metadata_csum"}, {"-t", "ext2", "-b", "1024"}}) {
    const fs::path good = make_file_system(dir, "good", dir / "root", options, "4M");
    std::size_t opened = 0;
    for (unsigned round = 0; round < 60; ++round) {
      const fs::path bad = dir / fmt::format("bad{}", round);
      fs::copy_file(good, bad, fs::copy_options::overwrite_existing);
      unsigned seed = round * 7919 + 17;
      const auto next = [&] { return (seed = seed * 1664525U + 1013904223U) >> 8U; };
      for (unsigned i = 0; i < 200; ++i)
        overwrite(bad, 2048 + next() % (600U << 10U), std::string(1, static_cast<char>(next())));
      const Machine machine(dir, {bad});
      if (machine.guest) {
        ++opened;
        for (const char* path : {"/", "/etc", "/d0", "/d1", "/d2", "/d3", "/d4", "/d5", "/d6"}) {
          const auto entries = (*machine.guest)->list(path);
          if (!entries) continue;
          for (const DirEntry& entry : *entries) {
            (void)(*machine.guest)->read(std::string(path) + "/" + entry.name, 1U << 20U);
          }
        }
      }
      fs::remove(bad);
    }
    EXPECT_GT(opened, 0U);
  }
}

}  // namespace
}  // namespace vmpatch::guest::direct::test
