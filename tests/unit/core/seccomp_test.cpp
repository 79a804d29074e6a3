#include "vmpatch/core/seccomp.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <string>

#include "vmpatch/core/process.hpp"

namespace vmpatch {
namespace {

/// Exit code of a process that is confined and then does `work`.
int confined(const std::function<int()>& work) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(allow_only_own_descriptors() ? work() : 99);
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int refused(long result) { return result < 0 && errno == EPERM ? 0 : 1; }

TEST(OwnDescriptorsOnly, open_descriptors_memory_and_time_work) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  EXPECT_EQ(confined([&] {
              const std::string text(1U << 20U, 'x');  // memory
              timespec now{};
              const bool wrote = ::write(ends[1], text.data(), 5) == 5;
              return wrote && ::clock_gettime(CLOCK_MONOTONIC, &now) == 0 ? 0 : 1;
            }),
            0);
  std::array<char, 8> got{};
  EXPECT_EQ(::read(ends[0], got.data(), got.size()), 5);
}

TEST(OwnDescriptorsOnly, files_sockets_processes_and_executable_memory_are_refused) {
  EXPECT_EQ(confined([] { return refused(::open("/etc/passwd", O_RDONLY | O_CLOEXEC)); }), 0);
  EXPECT_EQ(confined([] { return refused(::socket(AF_UNIX, SOCK_STREAM, 0)); }), 0);
  EXPECT_EQ(confined([] { return refused(::fork()); }), 0);
  EXPECT_EQ(confined([] { return refused(::kill(::getppid(), 0)); }), 0);
  EXPECT_EQ(confined([] { return refused(::execl("/bin/true", "true", nullptr)); }), 0);
  EXPECT_EQ(confined([] { return refused(::memfd_create("x", 0)); }), 0);
  EXPECT_EQ(confined([] {
              return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EPERM ? 0 : 1;
            }),
            0);
}

TEST(DenyEscape, filtered_program_runs_but_starts_no_process_and_opens_no_network) {
  const auto filter = deny_escape();
  ASSERT_TRUE(filter.has_value()) << filter.error().message;
  Command command;
  command.filter = &*filter;
  command.argv = {"/bin/sh", "-c", "echo alone; /bin/true; echo $?"};
  const auto output = run(command);
  ASSERT_TRUE(output.has_value()) << output.error().message;
  EXPECT_NE(output->exit_code, 0);
  EXPECT_EQ(output->out, "alone\n");
  EXPECT_NE(output->err.find("fork"), std::string::npos) << output->err;
  command.argv = {"bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9"};
  const auto network = run(command);
  ASSERT_TRUE(network.has_value());
  EXPECT_NE(network->err.find("Operation not permitted"), std::string::npos) << network->err;
}

}  // namespace
}  // namespace vmpatch
