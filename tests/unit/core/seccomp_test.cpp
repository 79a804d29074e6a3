#include "vmpatch/core/seccomp.hpp"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
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

/// The kernel's answer to a question that changes nothing.
bool has_landlock() { return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0; }

TEST(DenyEscape, filtered_programs_of_one_account_cannot_reach_each_others_memory) {
  const auto filter = deny_escape();
  ASSERT_TRUE(filter.has_value());
  Command victim;
  victim.argv = {"sleep", "60"};
  victim.filter = &*filter;
  auto child = Child::start(victim);
  ASSERT_TRUE(child.has_value()) << child.error().message;
  const std::string memory = "/proc/" + std::to_string(child->pid()) + "/mem";
  Command attacker;
  attacker.argv = {"bash", "-c", "exec 3<>" + memory};
  attacker.filter = &*filter;
  const auto output = run(attacker);
  ASSERT_TRUE(output.has_value());
  // On a kernel without Landlock nothing but Yama stands between them.
  EXPECT_TRUE(output->exit_code != 0 || !has_landlock()) << output->err;
}

}  // namespace
}  // namespace vmpatch
