#include "vmpatch/core/file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iterator>

#include "unit/core/scratch.hpp"

namespace vmpatch {
namespace {

using test::Scratch;

mode_t mode_of(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777U;
}

std::ptrdiff_t entries(const fs::path& folder) { return std::distance(fs::directory_iterator(folder), {}); }

/// The umask of the whole process, so tests do not depend on the caller's.
class Umask {
 public:
  explicit Umask(mode_t mask) : before_(::umask(mask)) {}
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;
  ~Umask() { ::umask(before_); }

 private:
  mode_t before_;
};

TEST(ReadFile, gives_the_whole_content) {
  const Scratch dir;
  const std::string content(200'000, 'x');
  ASSERT_TRUE(create_file(dir / "a", content, 0644).has_value());
  EXPECT_TRUE(read_file(dir / "a").value() == content);
  EXPECT_TRUE(read_file(dir / "a", content.size()).value() == content);
}

TEST(ReadFile, larger_than_allowed_is_failed) {
  const Scratch dir;
  ASSERT_TRUE(create_file(dir / "a", "12345", 0644).has_value());
  const auto result = read_file(dir / "a", 4);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::failed);
  EXPECT_NE(result.error().message.find((dir / "a").string()), std::string::npos);
}

TEST(ReadFile, missing_is_not_found_and_a_folder_is_failed) {
  const Scratch dir;
  EXPECT_EQ(read_file(dir / "a").error().code, Errc::not_found);
  EXPECT_EQ(read_file(dir.path()).error().code, Errc::failed);
}

TEST(ReadFile, files_of_proc_without_a_size_are_read) { EXPECT_FALSE(read_file("/proc/self/status").value().empty()); }

TEST(ReadFd, starts_at_offset_zero) {
  test::Scratch dir;
  ASSERT_TRUE(create_file(dir / "a", "12345", 0644).has_value());
  const UniqueFd fd(::open((dir / "a").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::lseek(fd.get(), 3, SEEK_SET), 3);
  EXPECT_EQ(read_fd(fd.get(), 5, "a").value(), "12345");
  EXPECT_FALSE(read_fd(fd.get(), 4, "a"));
}

TEST(WriteFileAtomic, replaces_content_and_sets_the_mode_whatever_the_umask) {
  const Scratch dir;
  const Umask mask(077);
  ASSERT_TRUE(write_file_atomic(dir / "a", "old", 0600).has_value());
  ASSERT_TRUE(write_file_atomic(dir / "a", "new", 0644).has_value());
  EXPECT_EQ(read_file(dir / "a").value(), "new");
  EXPECT_EQ(mode_of(dir / "a"), 0644U);
  EXPECT_EQ(entries(dir.path()), 1);
}

TEST(WriteFileAtomic, a_symlink_is_replaced_not_followed) {
  const Scratch dir;
  ASSERT_TRUE(create_file(dir / "target", "keep", 0644).has_value());
  fs::create_symlink(dir / "target", dir / "link");
  ASSERT_TRUE(write_file_atomic(dir / "link", "new").has_value());
  EXPECT_EQ(read_file(dir / "target").value(), "keep");
  EXPECT_FALSE(fs::is_symlink(dir / "link"));
}

TEST(WriteFileAtomic, what_is_no_file_is_not_replaced) {
  const Scratch dir;
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(write_file_atomic(dir / "fifo", "x").error().code, Errc::refused);
  EXPECT_TRUE(fs::is_fifo(dir / "fifo"));
  EXPECT_EQ(entries(dir.path()), 1);
}

TEST(WriteFileAtomic, failure_leaves_nothing_behind) {
  const Scratch dir;
  fs::create_directories(dir / "a/b");
  EXPECT_FALSE(write_file_atomic(dir / "a", "x"));
  EXPECT_EQ(entries(dir.path()), 1);
  EXPECT_FALSE(write_file_atomic(dir / "a/", "x"));
  EXPECT_EQ(write_file_atomic(dir / "missing/a", "x").error().code, Errc::not_found);
}

TEST(CreateFile, an_existing_file_is_kept_and_is_an_error) {
  const Scratch dir;
  ASSERT_TRUE(create_file(dir / "a", "old", 0640).has_value());
  EXPECT_EQ(mode_of(dir / "a"), 0640U);
  EXPECT_FALSE(create_file(dir / "a", "new", 0644));
  EXPECT_EQ(read_file(dir / "a").value(), "old");
}

TEST(CreateFile, a_dangling_symlink_is_not_followed) {
  const Scratch dir;
  fs::create_symlink(dir / "target", dir / "link");
  EXPECT_FALSE(create_file(dir / "link", "x", 0644));
  EXPECT_FALSE(fs::exists(dir / "target"));
}

TEST(WriteAll, a_closed_descriptor_is_an_error) { EXPECT_FALSE(write_all(-1, "x")); }

TEST(MakeDirs, only_the_last_new_folder_gets_the_mode) {
  const Scratch dir;
  const Umask mask(022);
  ASSERT_TRUE(make_dirs(dir / "a/b/c/", 0700).has_value());
  EXPECT_EQ(mode_of(dir / "a"), 0755U);
  EXPECT_EQ(mode_of(dir / "a/b"), 0755U);
  EXPECT_EQ(mode_of(dir / "a/b/c"), 0700U);
}

TEST(MakeDirs, an_existing_folder_keeps_its_mode) {
  const Scratch dir;
  ASSERT_TRUE(make_dirs(dir / "a", 0700).has_value());
  ASSERT_TRUE(make_dirs(dir / "a", 0755).has_value());
  EXPECT_EQ(mode_of(dir / "a"), 0700U);
}

TEST(MakeDirs, a_file_in_the_way_is_an_error) {
  const Scratch dir;
  ASSERT_TRUE(create_file(dir / "a", "", 0644).has_value());
  EXPECT_FALSE(make_dirs(dir / "a"));
  EXPECT_FALSE(make_dirs(dir / "a/b"));
}

TEST(FsyncDir, works_on_folders_only) {
  const Scratch dir;
  EXPECT_TRUE(fsync_dir(dir.path()).has_value());
  EXPECT_EQ(fsync_dir(dir / "missing").error().code, Errc::not_found);
}

TEST(RemoveTree, removes_links_but_not_what_they_point_to) {
  const Scratch dir;
  fs::create_directories(dir / "outside");
  ASSERT_TRUE(create_file(dir / "outside/keep", "x", 0644).has_value());
  fs::create_directories(dir / "tree/a/b");
  fs::create_directory_symlink(dir / "outside", dir / "tree/a/link");
  ASSERT_TRUE(remove_tree(dir / "tree").has_value());
  EXPECT_FALSE(fs::exists(dir / "tree"));
  EXPECT_TRUE(fs::exists(dir / "outside/keep"));
}

TEST(RemoveTree, a_link_as_the_root_is_removed_itself) {
  const Scratch dir;
  fs::create_directories(dir / "outside/keep");
  fs::create_directory_symlink(dir / "outside", dir / "link");
  ASSERT_TRUE(remove_tree(dir / "link").has_value());
  EXPECT_FALSE(fs::is_symlink(dir / "link"));
  EXPECT_TRUE(fs::exists(dir / "outside/keep"));
}

TEST(RemoveTree, a_missing_path_is_success) {
  const Scratch dir;
  EXPECT_TRUE(remove_tree(dir / "a").has_value());
  EXPECT_TRUE(remove_tree(dir / "a/b").has_value());
}

TEST(FreeSpace, is_known_for_folders_that_exist) {
  const Scratch dir;
  EXPECT_GT(free_space(dir.path()).value(), 0U);
  EXPECT_EQ(free_space(dir / "a").error().code, Errc::not_found);
}

TEST(LockFile, the_second_holder_is_told_busy_with_the_path) {
  const Scratch dir;
  auto first = lock_file(dir / "lock");
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(mode_of(dir / "lock"), 0600U);
  const auto second = lock_file(dir / "lock");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::busy);
  EXPECT_NE(second.error().message.find((dir / "lock").string()), std::string::npos);
  first->reset();
  EXPECT_TRUE(lock_file(dir / "lock").has_value());
}

TEST(LockFile, a_symlink_is_refused) {
  const Scratch dir;
  fs::create_symlink(dir / "target", dir / "lock");
  EXPECT_FALSE(lock_file(dir / "lock"));
  EXPECT_FALSE(fs::exists(dir / "target"));
}

}  // namespace
}  // namespace vmpatch
