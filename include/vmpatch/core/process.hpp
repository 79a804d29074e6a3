#pragma once
// Child processes. Every child dies with the thread that started it (PR_SET_PDEATHSIG) and is reaped.

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vmpatch/core/log_pump.hpp"
#include "vmpatch/core/result.hpp"
#include "vmpatch/core/seccomp.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch {

/// An ordinary user to run as. As root the child gets exactly this uid and gid and no supplementary group.
struct Credentials {
  uid_t uid = 0;
  gid_t gid = 0;
};

/// The unprivileged account for everything that touches guest content: user `vm-patch` where it exists, else
/// `nobody`. Empty when this process is not root: then children run as the caller.
std::optional<Credentials> worker_credentials();

/// An account that nobody has and no other process runs as, out of a range that no system hands out: for the processes of one run, so that
/// those of another run, and of other programs, reach neither their sockets nor their files. Empty when this process is not root;
/// worker_credentials() where it is root of a container that lacks these numbers.
std::optional<Credentials> fresh_credentials();
/// Whether it can be one of these two.
[[nodiscard]] bool is_worker_account(uid_t uid);

struct Command {
  std::vector<std::string> argv;  ///< argv[0] is looked up in our PATH unless it has a slash
  std::string input;              ///< standard input; nothing = /dev/null
  std::optional<std::map<std::string, std::string>> env;  ///< replaces the whole environment
  std::map<std::string, std::string> extra_env;           ///< added to it
  std::optional<Credentials> run_as;
  std::optional<std::filesystem::path> cwd;        ///< entered as the user of run_as
  std::vector<std::pair<int, rlim_t>> limits;      ///< {RLIMIT_AS, bytes}, …; a stricter hard limit stays
  std::vector<std::pair<int, int>> descriptors;    ///< {ours, number in the child, at most 250}; all others
                                                   ///< are closed; 0 to 2 replace that stream
  std::chrono::milliseconds timeout{60'000};       ///< run() only; then SIGKILL and Errc::timeout
  std::size_t max_output = 1U << 20U;              ///< per stream; more is cut and noted in CommandOutput
  bool no_new_privileges = true;
  const SystemCallFilter* filter = nullptr;        ///< loaded last, in a Landlock domain of its own where the kernel has that; needs
                                                   ///< no_new_privileges; outlives the call
};

struct CommandOutput {
  int exit_code = -1;  ///< 128 + signal when killed
  std::string out;
  std::string err;
  bool truncated = false;
};

/// Runs to the end and collects output. A non-zero exit is not an error here; not starting is (not_found: no such
/// program). What the program leaves behind in its process group is killed.
Result<CommandOutput> run(const Command& command);
/// run(), and a non-zero exit is Errc::failed with the last line of stderr.
Result<CommandOutput> run_checked(const Command& command);

/// A child that serves for a while. The destructor kills it and waits.
class Child {
 public:
  /// Standard output and error go to `log_fd` (or /dev/null when negative).
  static Result<Child> start(const Command& command, int log_fd = -1);
  /// They go to that log escaped and bounded, each line after `name`: for programs that meet foreign content. `log_fd` outlives this
  /// object; negative: /dev/null.
  static Result<Child> start_logged(const Command& command, int log_fd, const std::string& name);
  Child() = default;
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Exit code (128 + signal) once it has ended, and pid() is -1 from then on; Errc::timeout when it has not by then.
  Result<int> wait(std::chrono::milliseconds timeout);
  /// SIGKILL to its whole process group; wait() still has to follow, or the destructor.
  void kill();

 private:
  pid_t pid_ = -1;
  std::unique_ptr<LogPump> pump_;
};

}  // namespace vmpatch
