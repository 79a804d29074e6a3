#include "core/spawn.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <limits>

#include "core/own_domain.hpp"
#include "core/signals_blocked.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch {
namespace {

enum class Step : int { group, descriptors, user, parent, privileges, folder, limits, filter, exec };

struct Failure {
  Step step = Step::exec;
  int err = 0;
};

struct Mapping {
  int from = -1;
  int to = -1;
};

/// Everything that the child needs, made before fork(): another thread may hold the allocator's lock at that moment,
/// so the child must not allocate.
struct Prepared {
  std::string program;
  UniqueFd opened;  ///< the program, where another account than ours may have no way to it
  std::vector<std::string> env_text;
  std::vector<char*> argv;
  std::vector<char*> env;
  std::vector<Mapping> mappings;  ///< the child overwrites `from`
  std::vector<std::pair<int, rlim_t>> limits;
  std::string cwd;
  bool change_user = false;
  Credentials user;
  bool no_new_privileges = true;
  sock_fprog filter{};  ///< of Command::filter
  pid_t parent = 0;
  int status_fd = -1;
  int highest = 2;
};

constexpr int max_descriptor = 250;

std::string_view describe(Step step) {
  switch (step) {
    case Step::group:
      return "cannot make a process group";
    case Step::descriptors:
      return "cannot pass file descriptors";
    case Step::user:
      return "cannot change to the unprivileged user";
    case Step::parent:
      return "the parent is gone";
    case Step::privileges:
      return "cannot give up privileges";
    case Step::folder:
      return "cannot enter the working folder";
    case Step::limits:
      return "cannot set resource limits";
    case Step::filter:
      return "cannot load the system-call filter";
    case Step::exec:
      return "cannot execute it";
  }
  return "cannot execute it";
}

Result<std::string> find_program(const std::string& name) {
  if (name.empty()) return fail(Errc::failed, "cannot run a program without a name");
  if (name.find('/') != std::string::npos) {
    std::error_code error;
    const fs::path path = fs::absolute(name, error);  // Command::cwd is not meant to change what is run
    return error ? name : path.string();
  }
  const char* path = std::getenv("PATH");
  const std::string folders = path != nullptr ? path : "/usr/sbin:/usr/bin:/sbin:/bin";
  for (std::string_view folder : split(folders, ':')) {
    if (!folder.starts_with('/')) continue;  // a relative folder in PATH is a trap
    std::string candidate = fmt::format("{}/{}", folder, name);
    struct stat info {};
    if (::stat(candidate.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
  }
  return fail(Errc::not_found, "cannot run {}: no such program in PATH ({}); install it", escape_untrusted(name),
              folders);
}

/// For an account that has no way to the program, or (a build under umask 077) no right to execute it: then a copy in memory.
UniqueFd open_program(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0 || (info.st_mode & S_IXOTH) != 0) return file;
  UniqueFd copy(::memfd_create("program", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  off_t at = 0;
  while (copy && at < info.st_size) {
    if (::sendfile(copy.get(), file.get(), &at, static_cast<std::size_t>(info.st_size - at)) <= 0) return file;
  }
  constexpr int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (!copy || ::fcntl(copy.get(), F_ADD_SEALS, seals) != 0) return file;
  // A file that is open for writing cannot be executed.
  return UniqueFd(::open(fmt::format("/proc/self/fd/{}", copy.get()).c_str(), O_RDONLY | O_CLOEXEC));
}

std::vector<std::string> make_environment(const Command& command) {
  std::map<std::string, std::string> all;
  if (command.env) {
    all = *command.env;
  } else {
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
      const std::string_view text(*entry);
      const auto equals = text.find('=');
      if (equals != std::string_view::npos) all.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  for (const auto& [name, value] : command.extra_env) all.insert_or_assign(name, value);
  std::vector<std::string> text;
  text.reserve(all.size());
  for (const auto& [name, value] : all) text.push_back(name + "=" + value);
  return text;
}

Result<std::vector<Mapping>> make_mappings(const Command& command, const StandardStreams& streams) {
  std::vector<Mapping> mappings;
  for (const auto& descriptor : command.descriptors) {
    const int ours = descriptor.first;
    const int theirs = descriptor.second;  // clang 14 cannot capture a structured binding
    const bool twice = std::any_of(mappings.begin(), mappings.end(), [&](const Mapping& m) { return m.to == theirs; });
    if (ours < 0 || theirs < 0 || theirs > max_descriptor || twice) {
      return fail(Errc::failed, "cannot pass descriptor {} as {} to {}", ours, theirs,
                  escape_untrusted(command.argv[0]));
    }
    mappings.push_back({ours, theirs});
  }
  const std::array<int, 3> standard{streams.in, streams.out, streams.err};
  for (int i = 0; i < 3; ++i) {
    const bool given = std::any_of(mappings.begin(), mappings.end(), [&](const Mapping& m) { return m.to == i; });
    if (!given) mappings.push_back({standard[static_cast<std::size_t>(i)], i});
  }
  return mappings;
}

// --- In the child, between fork and exec: async-signal-safe calls only. ---

[[noreturn]] void give_up(int status_fd, Step step, int err) {
  const Failure failure{step, err};
  // Smaller than PIPE_BUF, so it arrives whole.
  static_cast<void>(::write(status_fd, &failure, sizeof failure) == 0);
  ::_exit(127);
}

void reset_signals() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &action, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool is_target(const Prepared& p, int fd) {
  for (const Mapping& m : p.mappings) {
    if (m.to == fd) return true;
  }
  return false;
}

/// Leaves the targets open, the status descriptor as `highest + 1`, the opened program (if any) as `highest + 2`, and nothing else.
int arrange_descriptors(Prepared& p) {
  const int status = p.highest + 1;
  const int program = p.highest + 2;
  const int above = p.highest + 3;
  const auto move_up = [&](int fd) { return ::fcntl(fd, F_DUPFD_CLOEXEC, above); };
  // First everything out of the way: a target may be the number of another source.
  const int moved_status = move_up(p.status_fd);
  if (moved_status < 0) give_up(p.status_fd, Step::descriptors, errno);
  const int moved_program = p.opened ? move_up(p.opened.get()) : -1;
  if (p.opened && moved_program < 0) give_up(moved_status, Step::descriptors, errno);
  for (Mapping& m : p.mappings) {
    m.from = move_up(m.from);
    if (m.from < 0) give_up(moved_status, Step::descriptors, errno);
  }
  for (const Mapping& m : p.mappings) {
    if (::dup2(m.from, m.to) < 0) give_up(moved_status, Step::descriptors, errno);
  }
  for (int fd = 3; fd <= p.highest; ++fd) {
    if (!is_target(p, fd)) ::close(fd);
  }
  if (::dup3(moved_status, status, O_CLOEXEC) < 0) give_up(moved_status, Step::descriptors, errno);
  if (moved_program < 0) {
    ::close(program);
  } else if (::dup3(moved_program, program, O_CLOEXEC) < 0) {
    give_up(status, Step::descriptors, errno);
  }
  p.status_fd = status;
  if (::close_range(static_cast<unsigned>(above), std::numeric_limits<unsigned>::max(), 0) != 0) {
    give_up(status, Step::descriptors, errno);
  }
  return moved_program >= 0 ? program : -1;
}

void change_user(const Prepared& p) {
  // Plain system calls: glibc's wrappers signal all threads of the parent's memory image, which this copy lacks.
  if (::syscall(SYS_setgroups, 0, nullptr) != 0 || ::syscall(SYS_setresgid, p.user.gid, p.user.gid, p.user.gid) != 0 ||
      ::syscall(SYS_setresuid, p.user.uid, p.user.uid, p.user.uid) != 0) {
    give_up(p.status_fd, Step::user, errno);
  }
}

void set_limits(const Prepared& p) {
  for (const auto& [resource, value] : p.limits) {
    struct rlimit limit {};
    const auto which = static_cast<__rlimit_resource_t>(resource);
    if (::getrlimit(which, &limit) != 0) give_up(p.status_fd, Step::limits, errno);
    // A stricter hard limit that is already there stays.
    limit.rlim_max = std::min(limit.rlim_max, value);
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(which, &limit) != 0) give_up(p.status_fd, Step::limits, errno);
  }
}

[[noreturn]] void become(Prepared& p) {
  // A group of its own, to be killed as one, and no terminal: who holds one can type into it (TIOCSTI, ioctl_tty(2)).
  if (::setsid() < 0) give_up(p.status_fd, Step::group, errno);
  const int program = arrange_descriptors(p);
  if (p.change_user) change_user(p);
  // After the change of user, which clears the setting.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up(p.status_fd, Step::privileges, errno);
  // The parent may have died before the setting: nobody would kill us any more.
  if (::getppid() != p.parent) give_up(p.status_fd, Step::parent, ESRCH);
  if (p.no_new_privileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    give_up(p.status_fd, Step::privileges, errno);
  }
  if (!p.cwd.empty() && ::chdir(p.cwd.c_str()) != 0) give_up(p.status_fd, Step::folder, errno);
  set_limits(p);
  reset_signals();
  if (p.filter.len > 0) enter_own_domain(DomainFiles::as_before);
  if (p.filter.len > 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p.filter) != 0) {
    give_up(p.status_fd, Step::filter, errno);
  }
  ::execve(p.program.c_str(), p.argv.data(), p.env.data());
  // The account cannot walk to it, say below a home of mode 0700. By path first: a process started by descriptor is named after that.
  if (errno == EACCES && program >= 0) ::syscall(SYS_execveat, program, "", p.argv.data(), p.env.data(), AT_EMPTY_PATH);
  give_up(p.status_fd, Step::exec, errno);
}

// --- In the parent again. ---

Result<Prepared> prepare(const Command& command, const StandardStreams& streams) {
  if (command.argv.empty()) return fail(Errc::failed, "cannot run a program without a name");
  Prepared p;
  VMPATCH_TRY(p.program, find_program(command.argv[0]));
  VMPATCH_TRY(p.mappings, make_mappings(command, streams));
  for (const Mapping& m : p.mappings) p.highest = std::max(p.highest, m.to);
  // execve() takes char* for historical reasons and does not write through it.
  for (const std::string& word : command.argv) p.argv.push_back(const_cast<char*>(word.c_str()));
  p.argv.push_back(nullptr);
  p.env_text = make_environment(command);
  for (std::string& entry : p.env_text) p.env.push_back(entry.data());
  p.env.push_back(nullptr);
  p.limits = command.limits;
  if (command.cwd) p.cwd = command.cwd->string();
  if (command.run_as) {
    p.user = *command.run_as;
    // An ordinary user that asks for itself has nothing to change; asking for another one fails in the child.
    p.change_user = ::geteuid() == 0 || p.user.uid != ::geteuid() || p.user.gid != ::getegid();
    // Not there or not readable: execve() says why.
    if (p.change_user) p.opened = open_program(p.program);
  }
  p.no_new_privileges = command.no_new_privileges;
  if (command.filter != nullptr) {
    // prctl() reads the instructions and does not write through the pointer.
    void* instructions = const_cast<std::uint64_t*>(command.filter->instructions.data());
    p.filter = {static_cast<unsigned short>(command.filter->instructions.size()), static_cast<sock_filter*>(instructions)};
  }
  p.parent = ::getpid();
  return p;
}

}  // namespace

Result<pid_t> spawn(const Command& command, const StandardStreams& streams) {
  VMPATCH_TRY(Prepared p, prepare(command, streams));
  const std::string name = escape_untrusted(command.argv[0]);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error(errno, fmt::format("cannot run {}", name));
  const UniqueFd status_reader(ends[0]);
  UniqueFd status_writer(ends[1]);
  p.status_fd = status_writer.get();

  pid_t pid = -1;
  int err = 0;
  {
    const SignalsBlocked blocked;  // so that no handler of ours ever runs in the child
    pid = ::fork();
    err = errno;
    if (pid == 0) become(p);
  }
  if (pid < 0) return errno_error(err, fmt::format("cannot run {}", name));
  status_writer.reset();

  Failure failure;
  ssize_t got = 0;
  do {
    got = ::read(status_reader.get(), &failure, sizeof failure);
  } while (got < 0 && errno == EINTR);
  if (got == 0) return pid;  // closed by a successful execve()

  ::kill(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (got != static_cast<ssize_t>(sizeof failure)) return fail(Errc::failed, "cannot run {}: it did not start", name);
  return errno_error(failure.err, fmt::format("cannot run {}: {}", name, describe(failure.step)));
}

Result<UniqueFd> open_input(const std::string& input) {
  if (input.empty()) {
    UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!null) return errno_error(errno, "cannot open /dev/null");
    return null;
  }
  // A memory file instead of a pipe: no writing loop, no SIGPIPE when the child does not read to the end.
  UniqueFd file(::memfd_create("input", MFD_CLOEXEC));
  if (!file) return errno_error(errno, "cannot make a memory file for a program's input");
  VMPATCH_CHECK(write_all(file.get(), input));
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return errno_error(errno, "cannot rewind a memory file");
  return file;
}

}  // namespace vmpatch
