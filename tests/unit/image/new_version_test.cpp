#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fstream>

#include "unit/image/temp_dir.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/image/new_version.hpp"

namespace vmpatch::image {
namespace {

std::string id_of(const Chain& chain) { return file_id(chain.identity().value().front()); }

void touch(const fs::path& path) { std::ofstream(path) << "x"; }

TEST(NewVersion, names_count_on_from_the_newest_that_the_folder_has) {
  const test::TempDir dir;
  const auto next = [&](const char* name) { return next_version(dir.path() / name).value().filename().string(); };
  EXPECT_EQ(next("web.qcow2"), "web.v2.qcow2");
  EXPECT_EQ(next("web.v2.qcow2"), "web.v3.qcow2");
  EXPECT_EQ(next("web"), "web.v2");
  EXPECT_EQ(next("web.v7"), "web.v8");
  EXPECT_EQ(next("debian-12.5"), "debian-12.5.v2");
  EXPECT_EQ(next(".hidden"), ".hidden.v2");
  touch(dir.path() / "web.v9.qcow2");
  touch(dir.path() / "web.v10.raw");
  touch(dir.path() / "other.v11.qcow2");
  touch(dir.path() / "web.v99999999999999999999.qcow2");
  EXPECT_EQ(next("web.qcow2"), "web.v10.qcow2");
  EXPECT_EQ(next("web.v3.qcow2"), "web.v10.qcow2");
  EXPECT_EQ(next_version(dir.path() / "web.qcow2", {dir.path() / "web.v10.qcow2", "/elsewhere/web.v20.qcow2"}).value().filename(), "web.v11.qcow2") << "of one run, each name once";
}

TEST(NewVersion, a_new_image_is_empty_stands_on_nothing_and_takes_no_file_s_place) {
  const test::TempDir dir;
  for (const auto format : {Format::raw, Format::qcow2}) {
    const auto path = dir.path() / std::string(to_string(format));
    const auto made = create_image(path, format, 1U << 20U);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->virtual_size(), 1U << 20U);
    EXPECT_EQ(made->layers().size(), 1U);
    EXPECT_EQ(fs::status(path).permissions(), fs::perms(0600));
    EXPECT_FALSE(create_image(path, format, 1U << 20U));
  }
  EXPECT_FALSE(create_image(dir.path() / "odd", Format::qcow2, 1000));
}

TEST(NewVersion, owner_and_mode_are_those_of_the_other_image) {
  const test::TempDir dir;
  auto from = create_image(dir.path() / "from", Format::raw, 4096).value();
  const auto to = create_image(dir.path() / "to", Format::raw, 4096).value();
  ASSERT_EQ(::chmod((dir.path() / "from").c_str(), 0640), 0);
  const bool root = ::geteuid() == 0;
  ASSERT_EQ(::chown((dir.path() / "from").c_str(), root ? 7 : ::getuid(), root ? 8 : ::getgid()), 0);
  const auto taken = take_attributes(from.top(), to);
  ASSERT_TRUE(taken) << taken.error().message;
  struct stat info {};
  ASSERT_EQ(::stat((dir.path() / "to").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0640U);
  EXPECT_EQ(info.st_uid, root ? 7U : ::getuid());
  EXPECT_EQ(info.st_gid, root ? 8U : ::getgid());
}

TEST(NewVersion, of_an_image_that_a_machine_uses_counts_the_owner_that_libvirt_remembers) {
  const test::TempDir dir;
  const auto from = create_image(dir.path() / "from", Format::raw, 4096).value();
  const auto to = create_image(dir.path() / "to", Format::raw, 4096).value();
  const std::string remembered = fmt::format("+{}:+{}", ::geteuid() == 0 ? 7 : ::getuid(), ::geteuid() == 0 ? 8 : ::getgid());
  // Where the file system, or who runs this, has no such attributes, libvirt remembers nothing either.
  const bool kept = ::setxattr((dir.path() / "from").c_str(), "trusted.libvirt.security.dac", remembered.c_str(), remembered.size() + 1, 0) == 0;
  ASSERT_TRUE(take_attributes(from.top(), to));
  struct stat info {};
  ASSERT_EQ(::stat((dir.path() / "to").c_str(), &info), 0);
  EXPECT_EQ(fmt::format("+{}:+{}", info.st_uid, info.st_gid), kept ? remembered : fmt::format("+{}:+{}", ::getuid(), ::getgid()));
}

TEST(NewVersion, it_is_renamed_over_nobody_and_removed_only_as_the_file_that_it_was) {
  const test::TempDir dir;
  const auto part = dir.path() / "part";
  const auto made = create_image(part, Format::raw, 4096).value();
  const auto id = id_of(made);
  touch(dir.path() / "taken");
  const auto over = rename_image(part, dir.path() / "taken");
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, Errc::refused);
  ASSERT_TRUE(rename_image(part, dir.path() / "name"));
  EXPECT_EQ(id_of(Chain::open(dir.path() / "name", Format::raw, {}).value()), id) << "a file keeps its id when it gets its name";
  EXPECT_FALSE(remove_image(dir.path() / "taken", id)) << "another file";
  EXPECT_TRUE(fs::exists(dir.path() / "taken"));
  EXPECT_TRUE(remove_image(dir.path() / "name", id).value());
  EXPECT_FALSE(remove_image(dir.path() / "name", id).value()) << "nothing was there";
}

}  // namespace
}  // namespace vmpatch::image
