// The worker that a guest has taken over: a process that has gone through confine() tries to reach everything that is not its run's, and
// tells what it reached. As root, and as an ordinary user.
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <sstream>

#include "guest/worker/confine.hpp"
#include "unit/image/temp_dir.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/seccomp.hpp"

namespace vmpatch::guest::worker {
namespace {

using image::test::TempDir;

UniqueFd listen_at(const std::string& path, mode_t mode) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << path << ": " << std::strerror(errno);
  EXPECT_EQ(::listen(fd.get(), 8), 0);
  EXPECT_EQ(::chmod(path.c_str(), mode), 0);
  return fd;
}

bool connects(const std::string& path) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

bool opens(const std::string& path, int flags) { return static_cast<bool>(UniqueFd(::open(path.c_str(), flags | O_CLOEXEC, 0600))); }

bool runs(const char* program) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::execl(program, program, "-c", "exit 0", nullptr);
    ::_exit(127);
  }
  int status = 0;
  return pid > 0 && ::waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// A host with things on it that are not this run's.
struct Host {
  TempDir dir{};
  std::string open_socket = "/run/vm-patch-test-" + std::to_string(::getpid());
  UniqueFd open_listener;
  std::string other_run = dir / "other-run.sock";
  UniqueFd other_listener;
  std::string own = dir / "own.sock";
  UniqueFd own_listener;
  std::string secret = dir.write("secret", "secret\n");
  fs::path appliance = dir / "appliance";
  Setup setup;

  explicit Host(const std::optional<Credentials>& account) {
    if (::access("/run", W_OK) != 0) open_socket = dir / "open.sock";
    open_listener = listen_at(open_socket, 0777);
    other_listener = listen_at(other_run, 0777);
    own_listener = listen_at(own, 0777);
    for (const fs::path& folder : {dir.path(), fs::path(secret)}) EXPECT_EQ(::chmod(folder.c_str(), 0777), 0);
    dir.write("appliance/kernel", "kernel\n");
    EXPECT_EQ(::chmod((appliance / "kernel").c_str(), 0666), 0);  // only the mount protects it
    EXPECT_EQ(::chmod(appliance.c_str(), 0777), 0);
    setup.disks.push_back({{own, "disk", 1, true, account}, false});
    setup.appliance = appliance;
    setup.run_as = account;
    setup.write = true;
    setup.tmp = dir / "work";
    EXPECT_EQ(::mkdir(setup.tmp.c_str(), 0777), 0);
    EXPECT_EQ(::chmod(setup.tmp.c_str(), 0777), 0);
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  ~Host() { ::unlink(open_socket.c_str()); }
};

/// Only an own root folder hides that they are there.
constexpr std::array seen_without_namespaces{"/home", "/root", "/run",  "/var",        "/boot",       "/srv",
                                             "/mnt",  "/opt",  "/sys", "/etc/passwd", "/etc/shadow", "/lost+found"};
/// And only namespaces keep these away; README and doctor say so.
constexpr std::array open_without_namespaces{"a host's socket that all may open", "another run's export", "processes of the host",
                                             "processes of the host in /proc", "memory beyond the limit"};

bool is_told_of(const std::string& line) {
  const auto is = [&](const char* what) { return line == std::string("reached ") + what; };
  return std::any_of(seen_without_namespaces.begin(), seen_without_namespaces.end(), is) ||
         std::any_of(open_without_namespaces.begin(), open_without_namespaces.end(), is);
}

/// What the taken-over worker tells: a line for each thing that it reached and must not, or must and did not.
std::string attack(const Host& host, const Setup& inside, pid_t outsider) {
  std::string found;
  const auto must_not = [&](const std::string& what, bool reached) { if (reached) found += "reached " + what + "\n"; };
  const auto must = [&](const std::string& what, bool reached) { if (!reached) found += "cannot " + what + ": " + std::strerror(errno) + "\n"; };

  must("connect to its own disk", connects(inside.disks[0].source.socket));
  must("read the appliance", opens(inside.appliance / "kernel", O_RDONLY));
  must("write its folder", opens(inside.tmp / "overlay", O_CREAT | O_RDWR));
  must("run a program", runs("/bin/sh"));
  must("start a thread of a library", opens("/dev/null", O_RDWR) && opens("/proc/self/fd", O_RDONLY));

  must_not("a host's socket that all may open", connects(host.open_socket));
  must_not("another run's export", connects(host.other_run));
  must_not("a host's file that all may open", opens(host.secret, O_RDONLY));
  for (const char* path : seen_without_namespaces) must_not(path, ::access(path, F_OK) == 0);
  must_not("the appliance, to write", opens(inside.appliance / "kernel", O_WRONLY) || opens(inside.appliance / "new", O_CREAT | O_WRONLY) ||
                                          ::chmod((inside.appliance / "kernel").c_str(), 0777) == 0 || ::unlink((inside.appliance / "kernel").c_str()) == 0);
  for (const char* path : {"/new", "/usr/new", "/dev/new", "/usr/lib/new"}) must_not(path, opens(path, O_CREAT | O_WRONLY));
  // Without end: a bounded piece of memory.
  {
    const UniqueFd fd(::open((inside.tmp / "fill").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    must_not("memory beyond the limit", ::fallocate(fd.get(), 0, 0, off_t{600} << 20U) == 0);
  }
  must_not("processes of the host", ::kill(outsider, 0) == 0 || ::ptrace(PTRACE_ATTACH, outsider, nullptr, nullptr) == 0);
  must_not("processes of the host in /proc", opens("/proc/" + std::to_string(outsider) + "/status", O_RDONLY));
  must_not("the network", static_cast<bool>(UniqueFd(::socket(AF_INET, SOCK_STREAM, 0))) || static_cast<bool>(UniqueFd(::socket(AF_NETLINK, SOCK_RAW, 0))));
  must_not("new namespaces", ::unshare(CLONE_NEWUSER) == 0 || ::unshare(CLONE_NEWNS) == 0);
  must_not("new mounts", ::mount("x", "/tmp", "tmpfs", 0, nullptr) == 0 || ::umount2("/appliance", MNT_DETACH) == 0 || ::umount2("/proc", MNT_DETACH) == 0);
  must_not("another root", ::chroot("/tmp") == 0);
  must_not("root", ::setuid(0) == 0 || ::seteuid(0) == 0 || ::geteuid() == 0);
  must_not("keys of the kernel", ::syscall(SYS_add_key, "user", "x", "y", 1, -3) >= 0);
  must_not("a device", ::mknod((inside.tmp / "disk").c_str(), S_IFBLK | 0600, makedev(8, 0)) == 0);
  must_not("privileges of a program", ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1);
  return found;
}

struct Told {
  std::string missing;  ///< what the host does not permit
  std::string found;
};

/// `ordinary`: a user of the host, not root.
Told take_over(bool ordinary) {
  const auto account = ordinary || ::geteuid() != 0 ? std::optional<Credentials>() : fresh_credentials();
  const Host host(account);
  // Some process of the host that the worker's account could reach, if it saw it.
  const uid_t uid = account ? account->uid : 65534;
  const pid_t outsider = ::fork();
  if (outsider == 0) {
    if (::geteuid() == 0 && (::setresgid(uid, uid, uid) != 0 || ::setresuid(uid, uid, uid) != 0)) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  int sockets[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  const pid_t worker = ::fork();
  if (worker == 0) {
    ::close(sockets[0]);
    if (ordinary && ::geteuid() == 0 && (::setgroups(0, nullptr) != 0 || ::setresgid(uid, uid, uid) != 0 || ::setresuid(uid, uid, uid) != 0)) ::_exit(3);
    ::prctl(PR_SET_DUMPABLE, 1);  // as after execve(): the owner of /proc/self
    Setup inside = host.setup;
    const auto missing = confine(inside, sockets[1]);
    std::string text = missing ? fmt::format("{}", fmt::join(*missing, "; ")) : "ERROR " + missing.error().message;
    text += '\0';
    text += missing ? attack(host, inside, outsider) : "";
    ::_exit(write_all(ends[1], text) ? 0 : 1);
  }
  ::close(ends[1]);
  ::close(sockets[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(got));
  int status = 0;
  EXPECT_EQ(::waitpid(worker, &status, 0), worker);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  ::kill(outsider, SIGKILL);
  ::waitpid(outsider, nullptr, 0);
  ::close(ends[0]);
  ::close(sockets[0]);
  const auto middle = text.find('\0');
  EXPECT_NE(middle, std::string::npos);
  return {text.substr(0, middle), middle == std::string::npos ? "" : text.substr(middle + 1)};
}

TEST(TakenOverWorker, of_root_reaches_nothing_that_is_not_of_its_run) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const Told told = take_over(false);
  EXPECT_EQ(told.missing, "") << "this host does not permit all of it";
  EXPECT_EQ(told.found, "");
}

TEST(TakenOverWorker, of_an_ordinary_user_reaches_nothing_either_where_it_may_make_namespaces) {
  const Told told = take_over(true);
  if (!told.missing.empty()) {
    // Then that is told, and the rest holds by its own filters.
    EXPECT_NE(told.missing.find("namespaces of an ordinary user"), std::string::npos) << told.missing;
    if (!has_landlock()) return;
    std::istringstream lines(told.found);
    for (std::string line; std::getline(lines, line);) EXPECT_TRUE(is_told_of(line)) << line;
    return;
  }
  EXPECT_EQ(told.found, "");
}

TEST(TakenOverWorker, dies_with_who_started_it_whatever_it_undoes) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const Host host(fresh_credentials());
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  int sockets[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  const pid_t worker = ::fork();
  if (worker == 0) {
    worker::Setup inside = host.setup;
    if (!confine(inside, sockets[1])) ::_exit(1);
    ::prctl(PR_SET_PDEATHSIG, 0);
    ::setsid();
    std::signal(SIGTERM, SIG_IGN);
    static_cast<void>(::write(ends[1], "r", 1) == 1);
    for (;;) ::pause();
  }
  ::close(ends[1]);
  ::close(sockets[1]);
  char ready = 0;
  ASSERT_EQ(::read(ends[0], &ready, 1), 1);
  ASSERT_EQ(::kill(worker, SIGKILL), 0);
  ASSERT_EQ(::waitpid(worker, nullptr, 0), worker);
  // Its end of the pipe is closed when it is gone. The limit only bounds a failure.
  pollfd watched{ends[0], POLLIN, 0};
  EXPECT_EQ(::poll(&watched, 1, 60'000), 1);
  EXPECT_EQ(::read(ends[0], &ready, 1), 0);
  ::close(ends[0]);
  ::close(sockets[0]);
}

TEST(Account, of_a_run_is_its_own) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const auto one = fresh_credentials();
  const auto two = fresh_credentials();
  ASSERT_TRUE(one && two);
  EXPECT_NE(one->uid, two->uid);
  EXPECT_TRUE(is_worker_account(one->uid));
  EXPECT_FALSE(is_worker_account(1000));
  EXPECT_FALSE(is_worker_account(0));
}

}  // namespace
}  // namespace vmpatch::guest::worker
