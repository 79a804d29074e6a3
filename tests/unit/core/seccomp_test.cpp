#include "vmpatch/core/seccomp.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>
#include <thread>

#include "unit/core/scratch.hpp"
#include "vmpatch/core/process.hpp"

namespace vmpatch {
namespace {

/// Exit code of a process that is confined and then does `work`.
int confined(const std::function<int()>& work, Result<void> (*confine)() = allow_only_own_descriptors) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(confine() ? work() : 99);
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

int without_processes(const std::function<int()>& work) { return confined(work, deny_processes); }

TEST(DenyProcesses, programs_processes_and_privileges_are_refused) {
  EXPECT_EQ(without_processes([] { return refused(::fork()); }), 0);
  EXPECT_EQ(without_processes([] { return refused(::syscall(SYS_fork)); }), 0);
  EXPECT_EQ(without_processes([] { return refused(::syscall(SYS_vfork)); }), 0);
  EXPECT_EQ(without_processes([] { return ::syscall(SYS_clone3, nullptr, 0) < 0 && errno == ENOSYS ? 0 : 1; }), 0);
  EXPECT_EQ(without_processes([] { return refused(::execl("/bin/true", "true", nullptr)); }), 0);
  EXPECT_EQ(without_processes([] {
              const int program = ::open("/bin/true", O_PATH | O_CLOEXEC);
              const std::array<char*, 1> none{};
              return program < 0 ? 1 : refused(::fexecve(program, none.data(), none.data()));
            }),
            0);
  EXPECT_EQ(without_processes([] { return refused(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); }), 0);
  EXPECT_EQ(without_processes([] { return refused(::unshare(CLONE_NEWUSER)); }), 0);
  EXPECT_EQ(without_processes([] { return refused(::syscall(SYS_setuid, ::getuid())); }), 0);
  EXPECT_EQ(without_processes([] { return refused(::syscall(SYS_io_uring_setup, 1, nullptr)); }), 0);
}

TEST(DenyProcesses, other_processes_are_out_of_reach) {
  EXPECT_EQ(without_processes([] { return refused(::kill(::getppid(), 0)); }), 0);
  EXPECT_EQ(without_processes([] { return refused(::kill(-1, 0)); }), 0);
  EXPECT_EQ(without_processes([] { return refused(::syscall(SYS_tkill, ::getppid(), 0)); }), 0);
  EXPECT_EQ(without_processes([] { return refused(::prlimit(::getppid(), RLIMIT_CORE, nullptr, nullptr)); }), 0);
  EXPECT_EQ(without_processes([] { return refused(::prctl(PR_SET_PDEATHSIG, 0)); }), 0);
  EXPECT_EQ(without_processes([] { return refused(::syscall(SYS_prctl, (1UL << 32U) | PR_SET_PDEATHSIG, 0)); }), 0);
  EXPECT_EQ(without_processes([] { return ::kill(::getpid(), 0); }), 0);
}

TEST(DenyProcesses, no_terminal_can_be_typed_into) {
  const char c = 'x';
  EXPECT_EQ(without_processes([&] { return refused(::ioctl(STDIN_FILENO, TIOCSTI, &c)); }), 0);
  EXPECT_EQ(without_processes([&] { return refused(static_cast<int>(::syscall(SYS_ioctl, STDIN_FILENO, (1UL << 32U) | TIOCSTI, &c))); }), 0);
}

TEST(DenyProcesses, threads_network_and_names_work) {
  EXPECT_EQ(without_processes([] {
              int seen = 1;
              std::thread([&] { seen = 0; }).join();
              return seen;
            }),
            0);
  for (const int family : {AF_INET, AF_INET6, AF_UNIX}) {
    for (const int kind : {SOCK_STREAM | SOCK_CLOEXEC, SOCK_DGRAM | SOCK_NONBLOCK}) {
      EXPECT_EQ(without_processes([=] { return ::socket(family, kind, 0) >= 0 ? 0 : errno; }), 0) << family << ' ' << kind;
    }
  }
  EXPECT_EQ(without_processes([] { return ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) >= 0 ? 0 : errno; }), 0);
  EXPECT_EQ(without_processes([] {
              addrinfo* found = nullptr;
              return ::getaddrinfo("localhost", "80", nullptr, &found);
            }),
            0);
  EXPECT_EQ(without_processes([] { return ::open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : 1; }), 0);
}

TEST(DenyProcesses, other_sockets_are_refused) {
  const auto no_socket = [](int family, int kind, int protocol) {
    return without_processes([=] { return refused(::socket(family, kind, protocol)); });
  };
  EXPECT_EQ(no_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), 0);
  EXPECT_EQ(no_socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP), 0);
  EXPECT_EQ(no_socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), 0);
  EXPECT_EQ(no_socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP), 0);
  EXPECT_EQ(no_socket(AF_PACKET, SOCK_RAW, 0), 0);
  EXPECT_EQ(no_socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER), 0);
  EXPECT_EQ(no_socket(AF_VSOCK, SOCK_STREAM, 0), 0);
  EXPECT_EQ(no_socket(AF_ALG, SOCK_SEQPACKET, 0), 0);
  EXPECT_EQ(no_socket(AF_X25, SOCK_SEQPACKET, 0), 0);
  // The kernel takes the lower half of each argument.
  EXPECT_EQ(without_processes([] { return refused(::syscall(SYS_socket, (1UL << 32U) | AF_VSOCK, SOCK_STREAM, 0)); }), 0);
  EXPECT_EQ(without_processes([] { return refused(::syscall(SYS_socket, (1UL << 32U) | AF_INET, SOCK_RAW, IPPROTO_ICMP)); }), 0);
}

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

TEST(DenyProcesses, no_file_is_changed) {
  if (!has_landlock()) std::cerr << "this kernel has no Landlock: nothing keeps files from being changed\n";
  const test::Scratch scratch;
  const std::string there = scratch / "there";
  std::ofstream(there) << "old";
  const int outcome = without_processes([&] {
    const bool written = ::open(there.c_str(), O_WRONLY | O_CLOEXEC) >= 0;
    const bool made = ::open((scratch / "new").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600) >= 0;
    return written || made || ::unlink(there.c_str()) == 0 ? 1 : 0;
  });
  EXPECT_EQ(outcome, has_landlock() ? 0 : 1);
}

}  // namespace
}  // namespace vmpatch
