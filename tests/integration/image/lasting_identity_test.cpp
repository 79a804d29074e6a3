// A host that was booted again gives other numbers to the same disks. Loop devices do the same without a reboot.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "integration/image/qemu_tools.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/image/identity.hpp"

namespace vmpatch::image {
namespace {

using namespace test;
using testing::HasSubstr;
using testing::StartsWith;

/// The next free loop device over a file, for as long as this lives.
class Loop {
 public:
  explicit Loop(const fs::path& file, const std::vector<std::string>& options = {}) {
    std::vector<std::string> argv{"losetup", "--find", "--show", "--partscan"};
    argv.insert(argv.end(), options.begin(), options.end());
    argv.push_back(file.native());
    const auto output = run_tool(argv);
    EXPECT_EQ(output.exit_code, 0) << output.err;
    path_ = trim(output.out);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() { run_tool({"losetup", "--detach", path_.native()}); }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

class Mount {
 public:
  Mount(const fs::path& device, const fs::path& where, const char* type) : where_(where) {
    fs::create_directory(where);
    mounted_ = ::mount(device.c_str(), where.c_str(), type, 0, nullptr) == 0;
    EXPECT_TRUE(mounted_) << device << " on " << where << ": " << std::strerror(errno);
  }
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  ~Mount() {
    if (mounted_) ::umount(where_.c_str());
  }

 private:
  fs::path where_;
  bool mounted_ = false;
};

LayerIdentity identify(const fs::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return value_of(identify_fd(fd.get(), path, false));
}

dev_t device_of(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
  return S_ISBLK(info.st_mode) ? info.st_rdev : info.st_dev;
}

class FileSystems : public testing::TestWithParam<std::vector<std::string>> {};

TEST_P(FileSystems, a_file_keeps_its_identity_when_its_file_system_gets_another_device_number) {
  const TempDir dir;
  const auto image = dir / "host-disk";
  create_image(image, Format::raw, "400M");
  auto make = GetParam();
  const char* const type = make.front() == "mkfs.xfs" ? "xfs" : make.front() == "mkfs.btrfs" ? "btrfs" : "ext4";
  make.push_back(image.native());
  must(make);
  LayerIdentity before;
  dev_t number = 0;
  {
    const Loop loop(image);
    const Mount mount(loop.path(), dir / "mnt", type);
    create_image(dir / "mnt/disk.raw", Format::raw, "1M");
    before = identify(dir / "mnt/disk.raw");
    number = device_of(dir / "mnt/disk.raw");
  }
  const Loop in_the_way(dir.write("other", std::string(1U << 20U, 'x')));
  const Loop loop(image);
  const Mount mount(loop.path(), dir / "mnt", type);
  const auto after = identify(dir / "mnt/disk.raw");
  // btrfs has a number of its own, given anew or not.
  if (std::string_view(type) != "btrfs") {
    EXPECT_NE(device_of(dir / "mnt/disk.raw"), number) << "this proves nothing";
  }
  EXPECT_THAT(after.volume, StartsWith(std::string(type).substr(0, 3)));
  EXPECT_EQ(first_difference({before}, {after}), "");
  EXPECT_EQ(file_id(before), file_id(after));
}

INSTANTIATE_TEST_SUITE_P(Of, FileSystems,
                         testing::Values(std::vector<std::string>{"mkfs.ext4", "-q", "-F"}, std::vector<std::string>{"mkfs.xfs", "-q"},
                                         std::vector<std::string>{"mkfs.btrfs", "-q"}),
                         [](const auto& type) { return type.param.front().substr(5); });

TEST(LastingIdentity, two_file_systems_and_two_files_of_one_are_told_apart) {
  const TempDir dir;
  const auto one = identify(dir.write("one", std::string(4096, 'x')));
  const auto two = identify(dir.write("two", std::string(4096, 'x')));
  EXPECT_EQ(one.volume, two.volume);
  EXPECT_NE(file_id(one), file_id(two));
  const auto memory = identify("/proc/self/comm");
  EXPECT_NE(memory.volume, one.volume);
}

/// A disk with a partition table and an ext4 in its first partition at 1 MiB.
void make_partitioned(const fs::path& image, const fs::path& scratch) {
  create_image(image, Format::raw, "40M");
  create_image(scratch, Format::raw, "32M");
  must({"mkfs.ext4", "-q", "-F", scratch.native()});
  must({"bash", "-c", "echo 'label: gpt\nstart=2048, size=65536' | sfdisk --quiet " + image.native()});
  must({"dd", "if=" + scratch.native(), "of=" + image.native(), "bs=1M", "seek=1", "conv=notrunc", "status=none"});
}

TEST(LastingIdentity, a_device_that_is_attached_again_under_another_number_is_the_same) {
  const TempDir dir;
  make_partitioned(dir / "disk", dir / "part");
  LayerIdentity before;
  {
    const Loop loop(dir / "disk");
    before = identify(loop.path());
  }
  const Loop in_the_way(dir.write("other", std::string(1U << 20U, 'x')));
  const Loop loop(dir / "disk");
  EXPECT_THAT(before.volume, StartsWith("loop:"));
  EXPECT_EQ(first_difference({before}, {identify(loop.path())}), "");
  EXPECT_NE(identify(in_the_way.path()).volume, before.volume);
}

TEST(LastingIdentity, a_new_node_for_a_device_changes_nothing) {
  const TempDir dir;
  const Loop loop(dir.write("disk", std::string(1U << 20U, 'x')));
  const auto before = identify(loop.path());
  ASSERT_EQ(::mknod((dir / "node").c_str(), S_IFBLK | 0600, device_of(loop.path())), 0);
  const timespec times[2] = {{1, 1}, {1, 1}};
  ASSERT_EQ(::utimensat(AT_FDCWD, loop.path().c_str(), times, 0), 0);
  EXPECT_EQ(first_difference({before}, {identify(dir / "node")}), "");
  EXPECT_EQ(first_difference({before}, {identify(loop.path())}), "");
}

TEST(LastingIdentity, a_write_to_a_device_is_seen_as_long_as_it_is_attached) {
  const TempDir dir;
  const Loop loop(dir.write("disk", std::string(1U << 20U, 'x')));
  const auto before = identify(loop.path());
  must({"dd", "if=/dev/urandom", "of=" + loop.path().native(), "bs=4096", "count=1", "seek=200", "conv=notrunc,fsync", "status=none"});
  EXPECT_THAT(first_difference({before}, {identify(loop.path())}), HasSubstr("was written to"));
}

TEST(LastingIdentity, a_mount_for_writing_is_seen_after_the_device_was_attached_again) {
  const TempDir dir;
  make_partitioned(dir / "disk", dir / "part");
  LayerIdentity before;
  {
    const Loop loop(dir / "disk");
    before = identify(loop.path());
  }
  {
    const Loop partition(dir / "disk", {"--offset", "1048576"});
    const Mount mount(partition.path(), dir / "mnt", "ext4");
    must({"touch", (dir / "mnt/new").native()});
  }
  const Loop loop(dir / "disk");
  EXPECT_THAT(first_difference({before}, {identify(loop.path())}), HasSubstr("superblock"));
}

TEST(LastingIdentity, a_partition_has_the_name_of_its_disk_and_its_start) {
  const TempDir dir;
  make_partitioned(dir / "disk", dir / "part");
  const Loop loop(dir / "disk");
  // Not every kernel reads partition tables, but all can be told.
  if (!fs::exists(loop.path().native() + "p1")) must({"addpart", loop.path().native(), "1", "2048", "65536"});
  const fs::path partition = loop.path().native() + "p1";
  ASSERT_TRUE(fs::exists(partition)) << "no node for a partition of a loop device";
  EXPECT_EQ(identify(partition).volume, identify(loop.path()).volume + "+2048");
}

}  // namespace
}  // namespace vmpatch::image
