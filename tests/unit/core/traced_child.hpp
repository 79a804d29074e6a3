#pragma once
// A child process that is stopped at each of its system calls: to see them, to kill it there, or to let one fail.

#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>

namespace vmpatch::test {

struct SystemCall {
  pid_t process = 0;
  long number = 0;
  std::array<std::uint64_t, 6> arguments{};
  bool ended = false;  ///< seen twice: when it begins and when it has ended
  long result = 0;     ///< once it has ended; negative errno

  /// What a descriptor that the call got stands for, while the child is stopped.
  [[nodiscard]] std::filesystem::path file(std::size_t argument) const {
    std::error_code ignored;
    return std::filesystem::read_symlink("/proc/" + std::to_string(process) + "/fd/" + std::to_string(arguments.at(argument)), ignored);
  }
};

enum class Then { go_on, kill, fail_with_io_error };

/// Runs `work` in a child; `watch` is asked at each stop. True when the child came to its end, false when it was killed.
/// An error may only be ordered when a call begins.
class TracedChild {
 public:
  static bool run(const std::function<void()>& work, const std::function<Then(const SystemCall&)>& watch) {
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("no child");
    if (child == 0) {
      if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(9);
      ::raise(SIGSTOP);
      work();
      ::_exit(0);
    }
    return TracedChild(child).follow(watch);
  }

 private:
  explicit TracedChild(pid_t child) : child_(child) {}

  bool follow(const std::function<Then(const SystemCall&)>& watch) {
    int status = wait();
    if (!WIFSTOPPED(status)) throw std::runtime_error("the child cannot be traced");
    ::ptrace(PTRACE_SETOPTIONS, child_, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    for (bool failing = false;;) {
      ::ptrace(PTRACE_SYSCALL, child_, nullptr, nullptr);
      status = wait();
      if (WIFEXITED(status)) return true;
      if (WIFSIGNALED(status)) return false;
      if (WSTOPSIG(status) != (SIGTRAP | 0x80)) continue;
      if (failing) set_result(-EIO);
      failing = false;
      switch (watch(call())) {
        case Then::go_on: break;
        case Then::kill:
          ::kill(child_, SIGKILL);
          wait();
          return false;
        case Then::fail_with_io_error:
          set_number(-1);
          failing = true;
          break;
      }
    }
  }

  int wait() const {
    int status = 0;
    while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  }

  const SystemCall& call() {
    __ptrace_syscall_info info{};
    ::ptrace(PTRACE_GET_SYSCALL_INFO, child_, sizeof info, &info);
    call_.process = child_;
    call_.ended = info.op == PTRACE_SYSCALL_INFO_EXIT;
    if (call_.ended) {
      call_.result = static_cast<long>(info.exit.rval);
    } else {
      call_.number = static_cast<long>(info.entry.nr);
      for (std::size_t i = 0; i < call_.arguments.size(); ++i) call_.arguments.at(i) = info.entry.args[i];
    }
    return call_;
  }

#ifdef __x86_64__
  void set_number(long number) { poke(offsetof(user, regs.orig_rax), number); }
  void set_result(long result) { poke(offsetof(user, regs.rax), result); }
#else
#error "say here how a system call is made to fail on this processor"
#endif
  void poke(std::size_t at, long value) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): ptrace(2) takes an offset and a value as pointers
    ::ptrace(PTRACE_POKEUSER, child_, reinterpret_cast<void*>(at), reinterpret_cast<void*>(value));
  }

  pid_t child_;
  SystemCall call_;
};

}  // namespace vmpatch::test
