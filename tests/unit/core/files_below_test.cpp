// What is left to a program that parses foreign databases.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>

#include "unit/core/scratch.hpp"
#include "vmpatch/core/seccomp.hpp"

namespace vmpatch {
namespace {

class FilesBelowTest : public testing::Test {
 protected:
  FilesBelowTest() {
    for (const char* folder : {"own", "lenses", "other"}) {
      std::filesystem::create_directory(scratch_ / folder);
      std::ofstream(scratch_ / folder / "file") << "content";
    }
    std::filesystem::create_symlink(scratch_ / "other/file", scratch_ / "own/link");
  }

  /// Exit code of a process that is confined and then does `work`.
  int confined(const std::function<int()>& work) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(allow_only_files_below({{scratch_ / "lenses", scratch_ / "missing"}, {scratch_ / "own"}}) ? work() : 99);
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  int opened(const std::string& path, int flags) {
    return confined([&] { return ::open((scratch_ / path).c_str(), flags | O_CLOEXEC, 0600) >= 0 ? 0 : errno; });
  }

  test::Scratch scratch_;
};

int refused(long result) { return result < 0 && errno == EPERM ? 0 : 1; }

TEST_F(FilesBelowTest, files_of_the_given_folders_are_opened) {
  EXPECT_EQ(opened("own/file", O_RDWR | O_TRUNC), 0);
  EXPECT_EQ(opened("own/new", O_RDWR | O_CREAT | O_EXCL), 0);
  EXPECT_EQ(opened("lenses/file", O_RDONLY), 0);
  EXPECT_EQ(opened("lenses", O_RDONLY | O_DIRECTORY), 0);
  EXPECT_EQ(confined([&] { return ::unlink((scratch_ / "own/new").c_str()); }), 0);
}

TEST_F(FilesBelowTest, files_outside_are_neither_read_nor_changed) {
  if (!has_landlock()) {
    std::cerr << "this kernel has no Landlock: nothing tells folders apart\n";
    EXPECT_EQ(opened("other/file", O_RDONLY), 0);
    return;
  }
  for (const char* path : {"other/file", "own/link", "own/../other/file"}) {
    EXPECT_EQ(opened(path, O_RDONLY), EACCES) << path;
    EXPECT_EQ(opened(path, O_WRONLY), EACCES) << path;
  }
  EXPECT_EQ(opened("other", O_RDONLY | O_DIRECTORY), EACCES);
  EXPECT_EQ(opened("other/new", O_WRONLY | O_CREAT), EACCES);
  EXPECT_EQ(opened("lenses/file", O_WRONLY), EACCES);
  EXPECT_EQ(confined([&] { return ::unlink((scratch_ / "other/file").c_str()) < 0 ? errno : 0; }), EACCES);
  EXPECT_EQ(confined([] { return ::open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 ? errno : 0; }), EACCES);
  EXPECT_EQ(confined([] { return ::open("/proc/self/environ", O_RDONLY | O_CLOEXEC) < 0 ? errno : 0; }), EACCES);
}

TEST_F(FilesBelowTest, programs_processes_and_sockets_are_refused) {
  EXPECT_EQ(confined([] { return refused(::execl("/bin/true", "true", nullptr)); }), 0);
  EXPECT_EQ(confined([&] {
              const std::array<char*, 1> none{};
              const int file = ::open((scratch_ / "own/file").c_str(), O_RDONLY | O_CLOEXEC);
              return file < 0 ? 1 : refused(::fexecve(file, none.data(), none.data()));
            }),
            0);
  EXPECT_EQ(confined([] { return refused(::fork()); }), 0);
  EXPECT_EQ(confined([] { return refused(::kill(::getppid(), 0)); }), 0);
  for (const int family : {AF_UNIX, AF_INET, AF_NETLINK}) {
    EXPECT_EQ(confined([=] { return refused(::socket(family, SOCK_STREAM, 0)); }), 0) << family;
  }
  EXPECT_EQ(confined([] { return refused(::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0); }), 0);
}

TEST_F(FilesBelowTest, socket_that_was_open_before_reaches_nothing_else) {
  const int before = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const void* generic = &address;
  EXPECT_EQ(confined([&] { return refused(::connect(before, static_cast<const sockaddr*>(generic), sizeof address)); }), 0);
  ::close(before);
}

TEST_F(FilesBelowTest, names_modes_and_owners_stay) {
  const std::string file = (scratch_ / "own/file").string();
  EXPECT_EQ(confined([&] { return refused(::rename(file.c_str(), (scratch_ / "own/renamed").c_str())); }), 0);
  EXPECT_EQ(confined([&] { return refused(::link((scratch_ / "other/file").c_str(), (scratch_ / "own/hard").c_str())); }), 0);
  EXPECT_EQ(confined([&] { return refused(::symlink("/etc/passwd", (scratch_ / "own/soft").c_str())); }), 0);
  EXPECT_EQ(confined([&] { return refused(::chmod(file.c_str(), 04755)); }), 0);
  EXPECT_EQ(confined([&] { return refused(::chown((scratch_ / "other/file").c_str(), 1, 1)); }), 0);
  EXPECT_EQ(confined([&] { return refused(::truncate((scratch_ / "other/file").c_str(), 0)); }), 0);
  EXPECT_EQ(confined([&] { return refused(::mkdir((scratch_ / "own/folder").c_str(), 0700)); }), 0);
}

}  // namespace
}  // namespace vmpatch
