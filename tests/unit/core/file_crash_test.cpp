// What is on the disk when the process dies, or a system call fails, at any step of making a file or a folder.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <set>

#include "unit/core/scratch.hpp"
#include "unit/core/traced_child.hpp"
#include "vmpatch/core/file.hpp"

namespace vmpatch {
namespace {

using test::Scratch;
using test::SystemCall;
using test::Then;
using test::TracedChild;

const std::string content(100'000, 'k');

bool absent_or_whole(const fs::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return errno == ENOENT;
  const auto found = read_file(path);
  return found && *found == content && (info.st_mode & 07777U) == 0600U;
}

std::ptrdiff_t entries(const fs::path& folder) { return std::distance(fs::directory_iterator(folder), {}); }

/// On file systems that have them, and on those that make a file under a temporary name only.
class CreateFileAnywhere : public testing::TestWithParam<bool> {
 protected:
  /// What a file system without nameless files answers.
  static bool refuses_nameless(const SystemCall& call) {
    return !GetParam() && !call.ended && call.number == SYS_openat && (call.arguments[2] & O_TMPFILE) == O_TMPFILE;
  }
};
INSTANTIATE_TEST_SUITE_P(FileSystems, CreateFileAnywhere, testing::Values(true, false),
                         [](const auto& tested) { return tested.param ? "with_nameless_files" : "without"; });

TEST_P(CreateFileAnywhere, killed_at_any_system_call_the_file_is_absent_or_whole) {
  bool killed = true;
  bool was_there = false;
  for (int stop = 1; killed; ++stop) {
    const Scratch dir;
    int stops = 0;
    killed = !TracedChild::run([&] { static_cast<void>(create_file(dir / "key", content, 0600).has_value()); },
                               [&](const SystemCall& call) {
                                 if (++stops == stop) return Then::kill;
                                 return refuses_nameless(call) ? Then::fail_with_io_error : Then::go_on;
                               });
    ASSERT_TRUE(absent_or_whole(dir / "key")) << "killed at stop " << stop;
    was_there = was_there || (killed && fs::exists(dir / "key"));
    if (killed) continue;
    EXPECT_TRUE(fs::exists(dir / "key"));
    EXPECT_GT(stop, 12) << "too few steps were seen";
  }
  EXPECT_TRUE(was_there) << "no kill came after the file was there";
}

TEST_P(CreateFileAnywhere, whichever_system_call_fails_the_file_is_absent_or_whole_and_nothing_else_is_left) {
  bool reached = true;
  int failures = 0;
  for (int number = 1; reached; ++number) {
    const Scratch dir;
    int seen = 0;
    bool unlinking = false;
    reached = false;
    ASSERT_TRUE(TracedChild::run(
        [&] {
          if (!create_file(dir / "key", content, 0600)) ::_exit(0);
          if (!absent_or_whole(dir / "key") || !fs::exists(dir / "key")) ::_exit(1);
        },
        [&](const SystemCall& call) {
          static const std::set<long> tried{SYS_open, SYS_openat, SYS_write, SYS_fchmod, SYS_fsync, SYS_link, SYS_linkat, SYS_rename,
                                            SYS_renameat, SYS_renameat2, SYS_unlink, SYS_unlinkat};
          if (refuses_nameless(call)) return Then::fail_with_io_error;
          if (call.ended || !tried.contains(call.number) || ++seen != number) return Then::go_on;
          reached = true;
          unlinking = call.number == SYS_unlink || call.number == SYS_unlinkat;
          return Then::fail_with_io_error;
        }));
    failures += reached ? 1 : 0;
    ASSERT_TRUE(absent_or_whole(dir / "key")) << "call " << number << " failed";
    EXPECT_TRUE(unlinking || entries(dir.path()) == (fs::exists(dir / "key") ? 1 : 0)) << "call " << number << " failed";
  }
  EXPECT_GE(failures, 6);
}

TEST_P(CreateFileAnywhere, content_is_durable_before_the_name_is_and_the_name_before_it_returns) {
  const Scratch dir;
  std::vector<std::string> order;
  ASSERT_TRUE(TracedChild::run([&] { static_cast<void>(create_file(dir / "key", content, 0600).has_value()); },
                               [&](const SystemCall& call) {
                                 if (refuses_nameless(call)) return Then::fail_with_io_error;
                                 if (call.ended) return Then::go_on;
                                 if (call.number == SYS_fsync) order.emplace_back(call.file(0) == dir.path() ? "folder" : "file");
                                 for (const long name : {SYS_link, SYS_linkat, SYS_rename, SYS_renameat, SYS_renameat2}) {
                                   if (call.number == name) order.emplace_back("name");
                                 }
                                 return Then::go_on;
                               }));
  EXPECT_EQ(order, (std::vector<std::string>{"file", "name", "folder"}));
}

TEST(MakeDirs, the_parent_of_every_folder_that_is_made_is_synced_after_it) {
  const Scratch dir;
  std::multiset<fs::path> made_in;
  std::set<fs::path> unsynced;
  ASSERT_TRUE(TracedChild::run([&] { static_cast<void>(make_dirs(dir / "a/b/c", 0700).has_value()); },
                               [&](const SystemCall& call) {
                                 if (!call.ended || call.result != 0) return Then::go_on;
                                 if (call.number == SYS_mkdir || call.number == SYS_mkdirat) {
                                   // The folder that is new since the last call of this kind.
                                   for (const auto* made : {"a", "a/b", "a/b/c"}) {
                                     const auto parent = (dir / made).parent_path();
                                     if (fs::exists(dir / made) && !made_in.contains(parent)) {
                                       made_in.insert(parent);
                                       unsynced.insert(parent);
                                     }
                                   }
                                 }
                                 if (call.number == SYS_fsync) unsynced.erase(call.file(0));
                                 return Then::go_on;
                               }));
  EXPECT_EQ(made_in.size(), 3U);
  EXPECT_TRUE(unsynced.empty()) << *unsynced.begin();
}

}  // namespace
}  // namespace vmpatch
