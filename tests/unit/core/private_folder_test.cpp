#include "vmpatch/core/private_folder.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "unit/core/scratch.hpp"
#include "vmpatch/core/file.hpp"

namespace vmpatch {
namespace {

using test::Scratch;
using test::TestPipe;

std::size_t entries(const fs::path& folder) { return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {})); }

struct stat status_of(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info;
}

/// A process that has a folder with a file in it, and is killed. Its folder's path.
fs::path leave_behind(const fs::path& place, const std::string& prefix, bool with_folders = false) {
  TestPipe told;
  const pid_t child = ::fork();
  if (child == 0) {
    auto folder = PrivateFolder::make(place, prefix);
    const bool made = folder && (*folder)->write("file", "x") && (!with_folders || ((*folder)->make_folder("a") && (*folder)->write("a/b", "y")));
    const std::string path = made ? (*folder)->path().string() : "";
    if (!write_all(told.writer.get(), path)) ::_exit(1);
    ::raise(SIGKILL);
  }
  told.writer.reset();
  std::string path(4096, '\0');
  const ssize_t got = ::read(told.reader.get(), path.data(), path.size());
  path.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(fs::exists(path)) << path;
  return path;
}

TEST(PrivateFolder, is_ours_alone_and_goes_with_all_that_lies_in_it) {
  const Scratch scratch;
  fs::path path;
  {
    const auto folder = PrivateFolder::make(scratch.path(), "apt-").value();
    path = folder->path();
    EXPECT_EQ(path.parent_path(), scratch.path());
    EXPECT_TRUE(path.filename().native().starts_with("apt-"));
    EXPECT_EQ(status_of(path).st_mode & 07777U, 0700U);
    ASSERT_TRUE(folder->make_folder("preferences.d"));
    ASSERT_TRUE(folder->write("preferences.d/a", "content"));
    EXPECT_EQ(read_file(path / "preferences.d/a").value(), "content");
    EXPECT_EQ(status_of(path / "preferences.d/a").st_mode & 07777U, 0600U);
    EXPECT_EQ(status_of(path / "preferences.d").st_mode & 07777U, 0700U);
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(PrivateFolder, what_is_there_is_not_written_over) {
  const Scratch scratch;
  const auto folder = PrivateFolder::make(scratch.path(), "a-").value();
  ASSERT_TRUE(write_file_atomic(scratch / "victim", "kept"));
  fs::create_symlink(scratch / "victim", folder->path() / "link");
  EXPECT_FALSE(folder->write("link", "x"));
  ASSERT_TRUE(folder->write("file", "first"));
  EXPECT_FALSE(folder->write("file", "second"));
  EXPECT_FALSE(folder->make_folder("file"));
  EXPECT_FALSE(folder->write("no-such-folder/file", "x"));
  EXPECT_EQ(read_file(scratch / "victim").value(), "kept");
  EXPECT_EQ(read_file(folder->path() / "file").value(), "first");
}

TEST(PrivateFolder, that_of_a_killed_process_is_removed_by_the_next_one) {
  const Scratch scratch;
  const fs::path abandoned = leave_behind(scratch.path(), "apt-", true);
  const auto folder = PrivateFolder::make(scratch.path(), "apt-").value();
  EXPECT_FALSE(fs::exists(abandoned));
  EXPECT_TRUE(fs::exists(folder->path()));
}

TEST(PrivateFolder, that_of_another_kind_stays) {
  const Scratch scratch;
  const fs::path abandoned = leave_behind(scratch.path(), "gpgv-");
  const auto folder = PrivateFolder::make(scratch.path(), "apt-").value();
  EXPECT_TRUE(fs::exists(abandoned));
}

TEST(PrivateFolder, those_in_use_stay) {
  const Scratch scratch;
  const auto first = PrivateFolder::make(scratch.path(), "apt-").value();
  ASSERT_TRUE(first->write("file", "x"));
  const auto second = PrivateFolder::make(scratch.path(), "apt-").value();
  EXPECT_NE(first->path(), second->path());
  EXPECT_EQ(read_file(first->path() / "file").value(), "x");
  EXPECT_EQ(entries(scratch.path()), 2U);
}

TEST(PrivateFolder, what_only_looks_like_one_stays) {
  const Scratch scratch;
  fs::create_directory(scratch / "victim");
  fs::create_directory_symlink(scratch / "victim", scratch / "apt-link");
  ASSERT_TRUE(write_file_atomic(scratch / "apt-file", "x"));
  fs::create_directory(scratch / "apt-open");
  fs::permissions(scratch / "apt-open", fs::perms::owner_all | fs::perms::group_read);
  const auto folder = PrivateFolder::make(scratch.path(), "apt-").value();
  for (const char* name : {"victim", "apt-link", "apt-file", "apt-open"}) EXPECT_TRUE(fs::exists(scratch / name)) << name;
}

TEST(PrivateFolder, of_abandoned_ones_those_of_ours_and_of_helpers_are_removed_and_somebody_elses_stay) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to make folders of others";
  const Scratch scratch;
  const auto helper = fresh_credentials();
  ASSERT_TRUE(helper);
  const auto make = [&](const char* name, uid_t owner) {
    fs::create_directory(scratch / name);
    fs::permissions(scratch / name, fs::perms::owner_all);
    ASSERT_EQ(::chown((scratch / name).c_str(), owner, owner), 0);
  };
  make("apt-ours", ::geteuid());
  make("apt-helper", helper->uid);
  make("apt-somebody", 1000);
  const auto folder = PrivateFolder::make(scratch.path(), "apt-").value();
  EXPECT_FALSE(fs::exists(scratch / "apt-ours"));
  EXPECT_FALSE(fs::exists(scratch / "apt-helper"));
  EXPECT_TRUE(fs::exists(scratch / "apt-somebody"));
}

TEST(PrivateFolder, given_to_a_helper_with_all_in_it_without_following_links) {
  const Scratch scratch;
  const auto folder = PrivateFolder::make(scratch.path(), "apt-").value();
  ASSERT_TRUE(folder->make_folder("a"));
  ASSERT_TRUE(folder->write("a/b", "x"));
  ASSERT_TRUE(write_file_atomic(scratch / "victim", "x"));
  fs::create_symlink(scratch / "victim", folder->path() / "link");
  ASSERT_TRUE(folder->give_to(std::nullopt));
  EXPECT_EQ(status_of(folder->path()).st_uid, ::geteuid());
  if (::geteuid() != 0) GTEST_SKIP() << "the rest needs root";
  const auto helper = fresh_credentials();
  ASSERT_TRUE(helper);
  ASSERT_TRUE(folder->give_to(helper));
  for (const fs::path& path : {folder->path(), folder->path() / "a", folder->path() / "a/b", folder->path() / "link"}) {
    EXPECT_EQ(status_of(path).st_uid, helper->uid) << path;
    EXPECT_EQ(status_of(path).st_gid, helper->gid) << path;
  }
  EXPECT_EQ(status_of(scratch / "victim").st_uid, 0U);
  // Still in use.
  const auto second = PrivateFolder::make(scratch.path(), "apt-").value();
  EXPECT_TRUE(fs::exists(folder->path() / "a/b"));
}

TEST(PrivateFolder, many_at_once_all_get_one) {
  const Scratch scratch;
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 25; ++round) {
        const auto folder = PrivateFolder::make(scratch.path(), "apt-");
        if (!folder || !(*folder)->write("file", "x") || !fs::exists((*folder)->path() / "file")) ++failed;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(entries(scratch.path()), 0U);
}

TEST(PrivateFolder, place_that_does_not_exist_is_an_error_with_its_name) {
  const Scratch scratch;
  const auto folder = PrivateFolder::make(scratch / "none", "apt-");
  ASSERT_FALSE(folder);
  EXPECT_NE(folder.error().message.find((scratch / "none").string()), std::string::npos);
}

}  // namespace
}  // namespace vmpatch
