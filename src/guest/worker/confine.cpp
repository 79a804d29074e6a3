#include "guest/worker/confine.hpp"

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
#include <limits>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::guest::worker {
namespace {

/// What lies in the private /tmp is memory: of a writing worker what the appliance changes on its own disk, which is nothing much; of a
/// reading one also the journals that are replayed over disks that are only read.
constexpr std::uint64_t written_memory = 256ULL << 20U;
constexpr std::uint64_t read_memory = 512ULL << 20U;

/// For the run's log, which is the worker's standard error.
void note(std::string_view what, int err) {
  const std::string line = fmt::format("guest worker: {} is not permitted here: {}\n", what, std::strerror(err));
  static_cast<void>(write_all(STDERR_FILENO, line).has_value());
}

bool enter(int flag, std::string_view what) {
  if (::unshare(flag) == 0) return true;
  note(what, errno);
  return false;
}

/// Binds what `source` names now to `target`, also when `target` hides the way to it: hence the descriptor first.
struct Binding {
  UniqueFd source;
  std::string target;
  bool folder = false;
};

bool bind(const Binding& binding) {
  const bool made = binding.folder ? ::mkdir(binding.target.c_str(), 0700) == 0
                                   : ::close(::open(binding.target.c_str(), O_CREAT | O_EXCL | O_CLOEXEC, 0600)) == 0;
  const std::string source = fmt::format("/proc/self/fd/{}", binding.source.get());
  return made && ::mount(source.c_str(), binding.target.c_str(), nullptr, MS_BIND, nullptr) == 0;
}

/// A /tmp of our own: short paths for sockets, no way to other programs' files there, and nothing left behind. It also
/// makes the sockets reachable below folders that the worker's account may not enter.
Result<void> make_private_tmp(Setup& setup) {
  if (!enter(CLONE_NEWNS, "a mount namespace")) return {};
  // Opened after unshare(): the kernel binds only from mounts of the caller's own namespace.
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    note("making mounts private", errno);
    return {};
  }
  Setup changed = setup;
  std::vector<Binding> bindings;
  const auto plan = [&](fs::path& path, std::string target, bool folder) {
    bindings.push_back({UniqueFd(::open(path.c_str(), O_PATH | O_CLOEXEC)), target, folder});
    path = std::move(target);
    return static_cast<bool>(bindings.back().source);
  };
  bool opened = plan(changed.cache, "/tmp/cache", true);
  for (std::size_t i = 0; i < changed.disks.size(); ++i) {
    opened = plan(changed.disks[i].source.socket, fmt::format("/tmp/disk{}", i), false) && opened;
  }
  if (changed.payload) opened = plan(changed.payload->socket, "/tmp/payload", false) && opened;
  if (!opened) return errno_error(errno, "guest worker: cannot reach a disk's socket or the cache folder");

  const uid_t uid = setup.run_as ? setup.run_as->uid : ::geteuid();
  const gid_t gid = setup.run_as ? setup.run_as->gid : ::getegid();
  const std::string options = fmt::format("mode=0700,uid={},gid={},size={},nr_inodes=4096", uid, gid, setup.write ? written_memory : read_memory);
  if (::mount("vm-patch", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
    note("a private /tmp", errno);
    return {};
  }
  for (const Binding& binding : bindings) {
    // From here on the old paths below /tmp are gone: there is no way back to them.
    if (!bind(binding)) return errno_error(errno, fmt::format("guest worker: cannot bind {}", binding.target));
  }
  changed.tmp = "/tmp/work";
  if (::mkdir("/tmp/work", 0700) != 0 || ::chown("/tmp/work", uid, gid) != 0 || ::chdir("/") != 0) {
    return errno_error(errno, "guest worker: cannot make its folder");
  }
  setup = std::move(changed);
  return {};
}

[[noreturn]] void wait_for_worker(pid_t pid, int socket) {
  // Only the worker may hold descriptors: the parent sees its end by them.
  ::close(socket);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  ::_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

Result<void> give_up_privileges(const Setup& setup) {
  if (setup.run_as) {
    const gid_t kvm = setup.kvm_group.value_or(0);
    if (::setgroups(setup.kvm_group ? 1 : 0, &kvm) != 0 ||
        ::setresgid(setup.run_as->gid, setup.run_as->gid, setup.run_as->gid) != 0 ||
        ::setresuid(setup.run_as->uid, setup.run_as->uid, setup.run_as->uid) != 0) {
      return errno_error(errno, "guest worker: cannot change to the unprivileged user");
    }
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) return errno_error(errno, "guest worker: cannot give up capabilities");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno_error(errno, "guest worker: cannot forbid new privileges");
  return {};
}

/// The uid change cleared the setting of the one who started us; a process namespace gave us another parent.
Result<void> die_with_parent(int alive) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno_error(errno, "guest worker: cannot bind its life to its parent's");
  pollfd watched{alive, POLLIN, 0};
  if (::poll(&watched, 1, 0) != 0) return fail(Errc::failed, "guest worker: the parent is gone");
  return {};
}

}  // namespace

Result<void> confine(Setup& setup, int socket) {
  const bool root = ::geteuid() == 0;
  if (root && !setup.run_as) return fail(Errc::failed, "guest worker: refuses to work as root");
  if (root) {
    VMPATCH_CHECK(make_private_tmp(setup));
    enter(CLONE_NEWNET, "a network namespace");
    enter(CLONE_NEWIPC, "an IPC namespace");
    if (enter(CLONE_NEWPID, "a process namespace")) {
      std::array<int, 2> life{};
      if (::pipe2(life.data(), O_CLOEXEC) != 0) return errno_error(errno, "guest worker: cannot make a pipe");
      const pid_t pid = ::fork();
      if (pid < 0) return errno_error(errno, "guest worker: cannot fork");
      if (pid > 0) wait_for_worker(pid, socket);
      ::close(life[1]);
      // A fresh /proc hides the host's processes; where the host has masked its own, the old one stays.
      if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) note("a fresh /proc", errno);
      VMPATCH_CHECK(give_up_privileges(setup));
      return die_with_parent(life[0]);
    }
  }
  VMPATCH_CHECK(give_up_privileges(setup));
  // Nothing came between: the parent of spawn() is still the parent, and its end closes the socket.
  return die_with_parent(socket);
}

}  // namespace vmpatch::guest::worker
