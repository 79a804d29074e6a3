// File systems that mean harm.
#include "integration/hostile_guests/inspect.hpp"

namespace vmpatch::guest::hostile {
namespace {

void debugfs(const fs::path& image, const std::string& commands) { tool({"debugfs", "-w", "-f", "-", image}, commands); }

TEST(HostileDisk, folders_in_circles_end) {
  const TempDir dir;
  write_root(dir, "root");
  for (const char* folder : {"root/var/lib/dpkg/updates", "root/lib/modules/6.1", "root/boot", "root/var/lib/dpkg/status.d"}) {
    fs::create_directories(dir / folder);
  }
  dir.write("root/var/lib/dpkg/status", "Package: a\nStatus: install ok installed\nVersion: 1\n");
  const fs::path image = image_of(dir);
  debugfs(image, "link / /boot/again\nlink /var /var/lib/dpkg/updates/1\nlink /var/lib/dpkg /var/lib/dpkg/status.d/x\nlink /lib /lib/modules/6.1/up\n");
  const auto found = inspect(dir, image);
  EXPECT_EQ(found.exit_code, 0) << found.err;
  debugfs(image, "unlink /etc/os-release\nlink /etc /etc/os-release\n");
  expect_refused(inspect(dir, image), "/etc/os-release is not a regular file");
}

TEST(HostileDisk, cut_off_file_systems_are_named) {
  for (const std::vector<std::string>& options : {std::vector<std::string>{"-t", "ext4"}, {"-t", "ext2", "-b", "1024"}}) {
    const TempDir dir;
    write_root(dir, "root");
    const fs::path image = image_of(dir, options);
    for (const std::uint64_t size : {63 * mib, 20 * mib, mib}) {
      fs::resize_file(image, size);
      expect_refused(inspect(dir, image), "cut off");
    }
  }
}

TEST(HostileDisk, file_system_resized_beyond_its_device_is_named) {
  const TempDir dir;
  write_root(dir, "root");
  const fs::path image = image_of(dir);
  fs::resize_file(image, 400 * mib);
  tool({"resize2fs", "-f", image, "400M"});
  fs::resize_file(image, 64 * mib);
  expect_refused(inspect(dir, image), "cut off");
}

struct Field {
  std::string name;
  std::uint64_t offset;
  std::string bytes;
};
class Superblock : public testing::TestWithParam<Field> {};

TEST_P(Superblock, damage_is_an_error_and_no_appliance) {
  const TempDir dir;
  write_root(dir, "root");
  for (const char* type : {"ext2", "ext4"}) {
    const fs::path image = image_of(dir, {"-t", type});
    overwrite(image, 1024 + GetParam().offset, GetParam().bytes);
    const auto found = inspect(dir, image);
    EXPECT_EQ(found.exit_code, 1) << found.out;
    EXPECT_TRUE(found.says("/dev/sda")) << found.err;
  }
}

INSTANTIATE_TEST_SUITE_P(Fields, Superblock,
                         testing::Values(Field{"inode_count", 0, "\xff\xff\xff\xff"}, Field{"inodes_per_group", 40, "\xff\xff\xff\xff"},
                                         Field{"both_inode_counts", 0, "\xff\xff\xff\x7f" + std::string(36, '\1') + "\xff\xff\xff\x7f"},
                                         Field{"block_count", 4, little_endian(0xfffffff0, 4)}, Field{"block_size", 24, little_endian(6, 4)},
                                         Field{"no_groups", 32, little_endian(0, 4)}, Field{"small_groups", 32, little_endian(1, 4)},
                                         Field{"first_block", 20, little_endian(60'000, 4)}, Field{"inode_size", 88, little_endian(3, 2)},
                                         Field{"large_inodes", 88, little_endian(0x8000, 2)}, Field{"all_ones", 0, std::string(56, '\xff')}),
                         [](const auto& field) { return field.param.name; });

TEST(HostileDisk, features_over_damaged_geometry_are_damage) {
  const TempDir dir;
  write_root(dir, "root");
  const fs::path image = image_of(dir, {"-t", "ext2"});
  overwrite(image, 1024 + 96, "\xf7\xff\xff\x7f");  // all but that of a journal's own device
  overwrite(image, 1024 + 32, std::string(4, '\0'));
  expect_refused(inspect(dir, image), "superblock is damaged");
}

TEST(HostileDisk, group_descriptors_of_garbage_are_an_error) {
  for (const std::vector<std::string>& options : {std::vector<std::string>{"-t", "ext4"}, {"-t", "ext2"}}) {
    const TempDir dir;
    write_root(dir, "root");
    auto all = options;
    all.insert(all.end(), {"-b", "4096"});
    const fs::path image = image_of(dir, all);
    overwrite(image, 4096, std::string(4096, '\xff'));
    const auto found = inspect(dir, image);
    EXPECT_EQ(found.exit_code, 1) << found.out;
  }
}

TEST(HostileDisk, flags_without_their_feature_are_damage) {
  const TempDir dir;
  write_root(dir, "root");
  for (const char* flags : {"0x800", "0x40000000"}) {  // encrypted, ignores case
    const fs::path image = image_of(dir, {"-t", "ext4"});
    debugfs(image, "set_inode_field /etc flags "s + flags + "\n");
    expect_refused(inspect(dir, image), "the file system has no such feature");
  }
}

TEST(HostileDisk, partition_table_that_points_into_itself_is_an_error) {
  const TempDir dir;
  const fs::path image = sparse(dir, "disk.raw", 64 * mib);
  std::string table(512, '\0');
  table.replace(510, 2, "\x55\xaa");
  table.replace(446 + 4, 1, "\x05");
  table.replace(446 + 8, 8, little_endian(1, 4) + little_endian(100'000, 4));
  overwrite(image, 0, table);
  std::string loop(512, '\0');
  loop.replace(510, 2, "\x55\xaa");
  loop.replace(462 + 4, 1, "\x05");
  loop.replace(462 + 8, 8, little_endian(0, 4) + little_endian(100'000, 4));
  overwrite(image, 512, loop);
  expect_refused(inspect(dir, image), "/dev/sda: the chain of logical partitions loops");
}

}  // namespace
}  // namespace vmpatch::guest::hostile
