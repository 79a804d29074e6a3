#include "vmpatch/core/confine.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "core/confine/own_root.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/seccomp.hpp"

namespace vmpatch {
namespace {

using Missing = std::vector<std::string>;

bool enter(int flag, const char* what, Missing& missing) {
  if (::unshare(flag) == 0) return true;
  missing.push_back(fmt::format("{} ({})", what, std::strerror(errno)));
  return false;
}

Result<void> write_map(const char* file, const std::string& text) {
  const UniqueFd fd(::open(file, O_WRONLY | O_CLOEXEC));
  if (!fd) return errno_error(errno, file);
  return write_all(fd.get(), text);
}

/// For an ordinary user: a namespace in which it may make the others, and is itself: user_namespaces(7).
Result<void> make_user_namespace() {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  if (::unshare(CLONE_NEWUSER) != 0) return errno_error(errno, "none");
  VMPATCH_CHECK(write_map("/proc/self/setgroups", "deny"));
  VMPATCH_CHECK(write_map("/proc/self/uid_map", fmt::format("{} {} 1", uid, uid)));
  return write_map("/proc/self/gid_map", fmt::format("{} {} 1", gid, gid));
}

/// Some hosts let an ordinary user make one, and forbid everything in it (AppArmor's restriction of Ubuntu). There is no way back out of
/// it, so a child tries.
bool is_user_namespace_of_use() {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(make_user_namespace() && ::unshare(CLONE_NEWNS) == 0 ? 0 : 1);
  int status = -1;
  while (pid > 0 && ::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return pid > 0 && status == 0;
}

Result<bool> enter_user_namespace(Missing& missing) {
  if (!is_user_namespace_of_use()) {
    missing.emplace_back("namespaces of an ordinary user, so neither an own root folder nor a network without anything");
    return false;
  }
  VMPATCH_CHECK(make_user_namespace());
  return true;
}

Result<bool> enter_root(const Confinement& confinement, Missing& missing) {
  const char* what = "a root folder of its own";
  if (!enter(CLONE_NEWNS, what, missing)) return false;
  const auto entered = enter_own_root(confinement);
  if (entered) return true;
  if (entered.error().code != Errc::unsupported) return entered.error();
  missing.push_back(fmt::format("{} ({})", what, entered.error().message));
  return false;
}

/// Ends as the process does; meanwhile takes in those that have lost their parent.
[[noreturn]] void wait_for(pid_t pid) {
  int status = 0;
  for (;;) {
    const pid_t ended = ::waitpid(-1, &status, 0);
    if (ended == pid || (ended < 0 && errno != EINTR)) break;
  }
  ::_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

/// The worker in a namespace of processes whose first one is not the worker: when that one dies with us, the kernel ends all others, whatever
/// the worker has done to outlive us. Returns in the worker; the end of the pipe that is left tells it whether we live.
Result<int> fork_worker(int socket) {
  std::array<int, 2> life{-1, -1};
  if (::pipe2(life.data(), O_CLOEXEC) != 0) return errno_error(errno, "confinement: cannot make a pipe");
  const auto fork_from = [&](bool first) -> Result<bool> {
    const pid_t pid = ::fork();
    if (pid < 0) return errno_error(errno, "confinement: cannot fork");
    if (pid == 0) return true;
    // Only the worker may hold descriptors: the parent sees its end by them.
    ::close(socket);
    if (first) ::close(life[0]);
    wait_for(pid);
  };
  VMPATCH_CHECK(fork_from(true));
  ::close(life[1]);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno_error(errno, "confinement: cannot bind its life to its parent's");
  pollfd watched{life[0], POLLIN, 0};
  if (::poll(&watched, 1, 0) != 0) return fail(Errc::failed, "confinement: the parent is gone");
  VMPATCH_CHECK(fork_from(false));
  return life[0];
}

Result<void> give_up_privileges(const Confinement& confinement) {
  if (confinement.run_as) {
    const gid_t kvm = confinement.kvm_group.value_or(0);
    if (::setgroups(confinement.kvm_group ? 1 : 0, &kvm) != 0 ||
        ::setresgid(confinement.run_as->gid, confinement.run_as->gid, confinement.run_as->gid) != 0 ||
        ::setresuid(confinement.run_as->uid, confinement.run_as->uid, confinement.run_as->uid) != 0) {
      return errno_error(errno, "confinement: cannot change to the unprivileged user");
    }
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) return errno_error(errno, "confinement: cannot give up capabilities");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno_error(errno, "confinement: cannot forbid new privileges");
  return {};
}

/// The uid change cleared the setting of the one who started us; a process namespace gave us another parent.
Result<void> die_with_parent(int alive) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno_error(errno, "confinement: cannot bind its life to its parent's");
  pollfd watched{alive, POLLIN, 0};
  if (::poll(&watched, 1, 0) != 0) return fail(Errc::failed, "confinement: the parent is gone");
  return {};
}

/// In place of a root folder of its own.
FilesBelow files_of(const Confinement& confinement) {
  FilesBelow files;
  files.read = {"/etc", "/proc", "/sys"};
  files.run = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
  files.devices = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/kvm"};
  for (const auto& part : confinement.parts) {
    if (!part.writable) files.read.push_back(part.outside);
  }
  if (!confinement.tmp.empty()) files.work = {confinement.tmp};
  return files;
}

}  // namespace

std::vector<std::pair<int, rlim_t>> confined_limits(const std::optional<Credentials>& account, rlim_t largest_file) {
  std::vector<std::pair<int, rlim_t>> all{{RLIMIT_CORE, 0}, {RLIMIT_NOFILE, 1024}, {RLIMIT_FSIZE, largest_file}};
#ifndef __SANITIZE_ADDRESS__  // which reserves terabytes of address space
  all.emplace_back(RLIMIT_AS, rlim_t{8} << 30U);
#endif
  const auto shared = worker_credentials();
  if (account && shared && account->uid != shared->uid) all.emplace_back(RLIMIT_NPROC, 512);
  return all;
}

std::optional<gid_t> kvm_group() {
  struct stat info {};
  if (::stat("/dev/kvm", &info) != 0 || info.st_gid == 0 || (info.st_mode & 0060U) != 0060U) return std::nullopt;
  return info.st_gid;
}

Result<Confined> confine(const Confinement& confinement, int socket) {
  const bool root = ::geteuid() == 0;
  if (root && !confinement.run_as) return fail(Errc::failed, "confinement: refuses to work as root");
  Confined confined;
  bool may_unshare = root;
  if (!root) {
    VMPATCH_TRY(may_unshare, enter_user_namespace(confined.missing));
  }
  // Nothing comes between: the parent of spawn() is still the parent, and its end closes the socket.
  int alive = socket;
  if (may_unshare) {
    enter(CLONE_NEWNET, "a network without anything", confined.missing);
    enter(CLONE_NEWIPC, "IPC of its own", confined.missing);
    VMPATCH_TRY(confined.own_root, enter_root(confinement, confined.missing));
    if (enter(CLONE_NEWPID, "processes of its own", confined.missing)) {
      VMPATCH_TRY(alive, fork_worker(socket));
      // Where the host has masked its own /proc, the kernel permits no other.
      if (confined.own_root && ::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
        confined.missing.push_back(fmt::format("a /proc of its own ({})", std::strerror(errno)));
      }
    }
    if (confined.own_root) VMPATCH_CHECK(seal_root());
  }
  VMPATCH_CHECK(give_up_privileges(confinement));
  VMPATCH_CHECK(die_with_parent(alive));
  VMPATCH_CHECK(confined.own_root ? deny_leaving() : deny_leaving(files_of(confinement)));
  return confined;
}

}  // namespace vmpatch
