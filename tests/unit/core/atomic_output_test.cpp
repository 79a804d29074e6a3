#include "vmpatch/core/atomic_output.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <iterator>
#include <thread>

#include "unit/core/scratch.hpp"
#include "vmpatch/core/file.hpp"

namespace vmpatch {
namespace {

using test::Scratch;

Result<void> put(const fs::path& path, std::string_view text) {
  VMPATCH_TRY(auto output, AtomicOutput::create(path));
  VMPATCH_CHECK(write_all(output.fd(), text));
  return output.commit(0640);
}

struct stat look_at(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info;
}

std::ptrdiff_t entries(const fs::path& folder) { return std::distance(fs::directory_iterator(folder), {}); }

TEST(AtomicOutput, NewFileAppearsAtTheCommitWithItsMode) {
  const Scratch dir;
  {
    auto output = AtomicOutput::create(dir / "new");
    ASSERT_TRUE(output.has_value()) << output.error().message;
    ASSERT_TRUE(write_all(output->fd(), "half").has_value());
    EXPECT_FALSE(fs::exists(dir / "new"));
  }
  EXPECT_EQ(entries(dir.path()), 0) << "what was not committed stays";
  ASSERT_TRUE(put(dir / "new", "whole").has_value());
  EXPECT_EQ(read_file(dir / "new").value(), "whole");
  EXPECT_EQ(look_at(dir / "new").st_mode & 07777U, 0640U);
  EXPECT_EQ(entries(dir.path()), 1);
}

TEST(AtomicOutput, NothingStaysOfAProcessThatIsKilled) {
  const Scratch dir;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto output = AtomicOutput::create(dir / "new");
    if (!output || !write_all(output->fd(), "half")) ::_exit(1);
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "could not write";
  EXPECT_EQ(entries(dir.path()), 0);
}

TEST(AtomicOutput, ExistingFileIsReplacedAsAWhole) {
  const Scratch dir;
  ASSERT_TRUE(create_file(dir / "file", "old and long", 0644).has_value());
  const UniqueFd reader(::open((dir / "file").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(put(dir / "file", "new").has_value());
  EXPECT_EQ(read_file(dir / "file").value(), "new");
  EXPECT_EQ(read_fd(reader.get(), 100, "the old one").value(), "old and long");
  EXPECT_EQ(entries(dir.path()), 1);
}

TEST(AtomicOutput, FileBehindASymlinkIsReplacedAndTheLinkStays) {
  const Scratch dir;
  fs::create_directory(dir / "far");
  ASSERT_TRUE(create_file(dir / "far/file", "old", 0644).has_value());
  fs::create_symlink("far/file", dir / "link");
  ASSERT_TRUE(put(dir / "link", "new").has_value());
  EXPECT_TRUE(fs::is_symlink(dir / "link"));
  EXPECT_EQ(read_file(dir / "far/file").value(), "new");
  EXPECT_EQ(entries(dir / "far"), 1);
}

TEST(AtomicOutput, FifoIsWrittenToAndStays) {
  const Scratch dir;
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  fs::create_symlink("fifo", dir / "link");
  for (const char* name : {"fifo", "link"}) {
    std::string got;
    std::thread reader([&] { got = read_file(dir / "fifo").value_or("unreadable"); });
    const auto done = put(dir / name, "content");
    reader.join();
    EXPECT_TRUE(done.has_value()) << done.error().message;
    EXPECT_EQ(got, "content") << name;
    EXPECT_TRUE(S_ISFIFO(look_at(dir / "fifo").st_mode)) << name;
    EXPECT_TRUE(fs::is_symlink(dir / "link"));
  }
}

TEST(AtomicOutput, CharacterDeviceIsWrittenToAndStays) {
  const Scratch dir;
  // A node of our own where this user may make one, else the terminal's other end: no device of the system is touched.
  fs::path device = dir / "null";
  UniqueFd terminal;
  if (::mknod(device.c_str(), S_IFCHR | 0600, makedev(1, 3)) != 0 || UniqueFd(::open(device.c_str(), O_WRONLY | O_CLOEXEC)).get() < 0) {
    terminal.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    ASSERT_TRUE(::grantpt(terminal.get()) == 0 && ::unlockpt(terminal.get()) == 0);
    device = ::ptsname(terminal.get());
  }
  fs::create_symlink(device, dir / "link");
  const auto before = look_at(device);
  for (const fs::path& path : {device, dir / "link"}) {
    const auto done = put(path, "x");
    EXPECT_TRUE(done.has_value()) << done.error().message;
    const auto after = look_at(device);
    EXPECT_TRUE(S_ISCHR(after.st_mode)) << path;
    EXPECT_EQ(after.st_ino, before.st_ino);
    EXPECT_EQ(after.st_mode, before.st_mode);
  }
  EXPECT_TRUE(fs::is_symlink(dir / "link"));
}

TEST(AtomicOutput, OurStandardOutputIsWrittenTo) {
  const Scratch dir;
  const UniqueFd before(::dup(STDOUT_FILENO));
  const UniqueFd file(::open((dir / "out").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  ASSERT_TRUE(write_all(file.get(), "first ").has_value());
  ASSERT_EQ(::dup2(file.get(), STDOUT_FILENO), STDOUT_FILENO);
  const auto done = put("/dev/stdout", "second");
  ASSERT_EQ(::dup2(before.get(), STDOUT_FILENO), STDOUT_FILENO);
  EXPECT_TRUE(done.has_value()) << done.error().message;
  EXPECT_EQ(read_file(dir / "out").value(), "first second");
  EXPECT_EQ(entries(dir.path()), 1);
}

TEST(AtomicOutput, WhatCannotBeAFileIsRefusedAndStays) {
  const Scratch dir;
  fs::create_directory(dir / "folder");
  fs::create_symlink("nowhere", dir / "link");
  for (const char* name : {"folder", "link"}) {
    const auto done = put(dir / name, "x");
    ASSERT_FALSE(done.has_value()) << name;
    EXPECT_EQ(done.error().code, Errc::refused) << name;
    EXPECT_NE(done.error().message.find(name), std::string::npos) << done.error().message;
  }
  EXPECT_EQ(entries(dir.path()), 2);
  EXPECT_EQ(entries(dir / "folder"), 0);
  EXPECT_TRUE(fs::is_symlink(dir / "link"));
}

}  // namespace
}  // namespace vmpatch
