#include "vmpatch/core/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <random>
#include <sstream>

#include "core/spawn.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch {
namespace {

using Milliseconds = std::chrono::milliseconds;
using SteadyTime = std::chrono::steady_clock::time_point;

SteadyTime deadline_after(Milliseconds timeout) {
  constexpr Milliseconds longest = std::chrono::hours(24 * 3650);  // now() + max() would overflow
  return std::chrono::steady_clock::now() + std::clamp(timeout, Milliseconds(0), longest);
}

/// For poll(): rounded up, so that it does not spin in the last millisecond.
int milliseconds_until(SteadyTime deadline) {
  const auto left = std::chrono::ceil<Milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp(left, Milliseconds(0), Milliseconds(3'600'000)).count());
}

void kill_group(pid_t pid) {
  ::kill(-pid, SIGKILL);
  ::kill(pid, SIGKILL);  // in case that it has moved to another group
}

/// Kills what is left of the group first: as long as the leader is not reaped, nobody else can have its number.
Result<int> reap(pid_t pid) {
  ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return errno_error(errno, "cannot wait for a child process");
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Result<UniqueFd> open_pidfd(pid_t pid) {
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));  // close-on-exec by itself
  if (!fd) return errno_error(errno, "cannot watch a child process");
  return fd;
}

struct Pipe {
  UniqueFd reader;
  UniqueFd writer;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error(errno, "cannot make a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// One output stream of a child: keeps the beginning up to a limit and throws the rest away.
class Collector {
 public:
  Collector(UniqueFd fd, std::size_t limit) : fd_(std::move(fd)), limit_(limit) {}

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool truncated() const { return truncated_; }
  std::string take() { return std::move(text_); }

  /// One read; after the end of the stream fd() is -1.
  void read_some(std::size_t at_most = 64U << 10U) {
    std::array<char, 64U << 10U> buffer;
    const ssize_t got = ::read(fd_.get(), buffer.data(), std::min(at_most, buffer.size()));
    if (got < 0 && errno == EINTR) return;
    if (got <= 0) {
      fd_.reset();
      return;
    }
    const auto size = static_cast<std::size_t>(got);
    const std::size_t room = limit_ - text_.size();
    truncated_ = truncated_ || size > room;
    text_.append(buffer.data(), std::min(size, room));
  }

  /// What is in the pipe now, and no more: a process that left the group may keep the other end open for ever.
  void drain() {
    int waiting = 0;
    if (fd_.get() < 0 || ::ioctl(fd_.get(), FIONREAD, &waiting) != 0) return;
    auto left = static_cast<std::size_t>(waiting);
    while (left > 0 && fd_.get() >= 0) {
      const std::size_t step = std::min<std::size_t>(left, 64U << 10U);
      read_some(step);
      left -= step;
    }
  }

 private:
  UniqueFd fd_;
  std::size_t limit_;
  std::string text_;
  bool truncated_ = false;
};

/// True when the child has ended, false when the deadline came first.
Result<bool> collect(int pidfd, Collector& out, Collector& err, SteadyTime deadline) {
  for (;;) {
    std::array<pollfd, 3> watched{pollfd{pidfd, POLLIN, 0}, pollfd{out.fd(), POLLIN, 0}, pollfd{err.fd(), POLLIN, 0}};
    const int ready = ::poll(watched.data(), watched.size(), milliseconds_until(deadline));
    if (ready < 0 && errno != EINTR) return errno_error(errno, "cannot wait for a child process");
    if (ready > 0) {
      if (watched[1].revents != 0) out.read_some();
      if (watched[2].revents != 0) err.read_some();
      if (watched[0].revents != 0) return true;
    }
    // Also for a child that writes without end.
    if (std::chrono::steady_clock::now() >= deadline) return false;
  }
}

std::string last_line(std::string_view text) {
  const std::string_view trimmed = trim(text);
  const auto newline = trimmed.rfind('\n');
  return escape_untrusted(newline == std::string_view::npos ? trimmed : trim(trimmed.substr(newline + 1)));
}

std::string with_last_line(std::string message, const std::string& err) {
  const std::string line = last_line(err);
  return line.empty() ? message : message + ": " + line;
}

}  // namespace

namespace {

Credentials find_worker_account() {
  for (const char* name : {"vm-patch", "nobody"}) {
    std::vector<char> buffer(64U << 10U);
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwnam_r(name, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr &&
        found->pw_uid != 0) {
      return Credentials{found->pw_uid, found->pw_gid};
    }
  }
  return Credentials{65534, 65534};
}

}  // namespace

std::optional<Credentials> worker_credentials() {
  if (::geteuid() != 0) return std::nullopt;
  static const Credentials account = find_worker_account();  // looked up once: it loads name services
  return account;
}

namespace {

// Below those that systemd hands out to foreign images, above those of containers: systemd, UIDS-GIDS.md.
constexpr std::uint32_t first_fresh = 0x70000000;
constexpr std::uint32_t fresh_count = 0x0FFE0000;

/// user_namespaces(7): lines of "first inside, first outside, count".
bool maps_fresh(const char* file) {
  const auto text = read_file(file, 64U << 10U);
  if (!text) return false;
  std::istringstream numbers(*text);
  std::uint64_t inside = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  while (numbers >> inside >> outside >> count) {
    if (inside <= first_fresh && inside + count >= std::uint64_t{first_fresh} + fresh_count) return true;
  }
  return false;
}

}  // namespace

std::optional<Credentials> fresh_credentials() {
  if (::geteuid() != 0) return std::nullopt;
  static const bool mapped = maps_fresh("/proc/self/uid_map") && maps_fresh("/proc/self/gid_map");
  if (!mapped) return worker_credentials();
  std::random_device random;
  const std::uint32_t number = first_fresh + std::uniform_int_distribution<std::uint32_t>(0, fresh_count - 1)(random);
  return Credentials{number, number};
}

bool is_worker_account(uid_t uid) {
  const auto worker = worker_credentials();
  return (worker && uid == worker->uid) || (uid >= first_fresh && uid - first_fresh < fresh_count);
}

Result<CommandOutput> run(const Command& command) {
  const SteadyTime deadline = deadline_after(command.timeout);
  VMPATCH_TRY(const UniqueFd in, open_input(command.input));
  VMPATCH_TRY(Pipe out_pipe, make_pipe());
  VMPATCH_TRY(Pipe err_pipe, make_pipe());
  VMPATCH_TRY(const pid_t pid, spawn(command, {in.get(), out_pipe.writer.get(), err_pipe.writer.get()}));
  out_pipe.writer.reset();
  err_pipe.writer.reset();

  Collector out(std::move(out_pipe.reader), command.max_output);
  Collector err(std::move(err_pipe.reader), command.max_output);
  const auto pidfd = open_pidfd(pid);
  const Result<bool> ended = pidfd ? collect(pidfd->get(), out, err, deadline) : Result<bool>(pidfd.error());
  kill_group(pid);
  const Result<int> code = reap(pid);
  out.drain();
  err.drain();
  const std::string name = escape_untrusted(command.argv[0]);
  if (!ended) return ended.error().in(name);
  if (!*ended) {
    const double seconds = std::chrono::duration<double>(command.timeout).count();
    return make_error(
        Errc::timeout,
        with_last_line(fmt::format("{} did not end within {:g} s and was killed", name, seconds), err.take()));
  }
  if (!code) return code.error().in(name);
  return CommandOutput{*code, out.take(), err.take(), out.truncated() || err.truncated()};
}

Result<CommandOutput> run_checked(const Command& command) {
  VMPATCH_TRY(CommandOutput output, run(command));
  if (output.exit_code == 0) return output;
  const std::string name = escape_untrusted(command.argv[0]);
  const std::string message = output.exit_code > 128
                                  ? fmt::format("{} was killed by signal {}", name, output.exit_code - 128)
                                  : fmt::format("{} ended with exit code {}", name, output.exit_code);
  return make_error(Errc::failed, with_last_line(message, output.err));
}

Result<Child> Child::start(const Command& command, int log_fd) {
  VMPATCH_TRY(const UniqueFd in, open_input(command.input));
  UniqueFd null;
  if (log_fd < 0) {
    null.reset(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    if (!null) return errno_error(errno, "cannot open /dev/null");
    log_fd = null.get();
  }
  Child child;
  VMPATCH_TRY(child.pid_, spawn(command, {in.get(), log_fd, log_fd}));
  return child;
}

Result<Child> Child::start_logged(const Command& command, int log_fd, const std::string& name) {
  if (log_fd < 0) return start(command);
  VMPATCH_TRY(auto pump, LogPump::start(log_fd, name));
  VMPATCH_TRY(Child child, start(command, pump->writer()));
  pump->close_writer();
  child.pump_ = std::move(pump);
  return child;
}

Child::Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), pump_(std::move(other.pump_)) {}

Child& Child::operator=(Child&& other) noexcept {
  // The old child ends with `old`, after this one has the new number.
  const Child old(std::move(*this));
  pid_ = std::exchange(other.pid_, -1);
  pump_ = std::move(other.pump_);
  return *this;
}

Child::~Child() {
  if (pid_ <= 0) return;
  kill();
  static_cast<void>(reap(pid_).has_value());
}

Result<int> Child::wait(Milliseconds timeout) {
  if (pid_ <= 0) return fail(Errc::failed, "there is no child process to wait for");
  const SteadyTime deadline = deadline_after(timeout);
  VMPATCH_TRY(const UniqueFd pidfd, open_pidfd(pid_));
  for (;;) {
    pollfd watched{pidfd.get(), POLLIN, 0};
    const int ready = ::poll(&watched, 1, milliseconds_until(deadline));
    if (ready < 0 && errno != EINTR) return errno_error(errno, "cannot wait for a child process");
    if (ready > 0) return reap(std::exchange(pid_, -1));
    if (std::chrono::steady_clock::now() >= deadline) {
      return fail(Errc::timeout, "process {} has not ended within {} ms", pid_, timeout.count());
    }
  }
}

void Child::kill() {
  if (pid_ > 0) kill_group(pid_);
}

}  // namespace vmpatch
