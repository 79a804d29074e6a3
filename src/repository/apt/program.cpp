#include "repository/apt/program.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/programs.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::repository::apt {
namespace {

constexpr std::size_t max_answer = 256U << 20U;
constexpr rlim_t cpu_seconds = 120;  ///< a full upgrade of 5,000 packages takes a few

/// The last line of what it said, escaped by itself where it quotes a guest.
std::string reason(const CommandOutput& output) {
  if (output.exit_code == 128 + SIGXCPU || output.exit_code == 128 + SIGKILL) return "it takes more processor time or memory than any honest input";
  const auto lines = split(trim(output.err), '\n');
  const std::string_view last = lines.empty() ? std::string_view() : trim(lines.back());
  return last.empty() ? fmt::format("it ended with exit code {}", output.exit_code) : ensure_escaped(last);
}

/// As far as it is the same for all questions.
Result<Command> confined(const std::vector<std::string>& arguments, const std::filesystem::path& folder, const std::optional<Credentials>& account,
                         const SystemCallFilter& filter, rlim_t max_file) {
  VMPATCH_TRY(const auto program, internal_program("vm-patch-apt"));
  Command command;
  command.argv = {program.string()};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.env = std::map<std::string, std::string>{{"PATH", "/usr/bin:/bin"}, {"LC_ALL", "C.UTF-8"}, {"HOME", "/nonexistent"}};
  command.run_as = account;
  command.cwd = folder;
  command.limits = {{RLIMIT_CORE, 0}, {RLIMIT_CPU, cpu_seconds}, {RLIMIT_NOFILE, 256}, {RLIMIT_FSIZE, max_file}};
#ifndef __SANITIZE_ADDRESS__  // which reserves terabytes of address space
  command.limits.emplace_back(RLIMIT_AS, rlim_t{2} << 30U);
#endif
  command.timeout = std::chrono::minutes(10);
  command.max_output = max_answer;
  command.filter = &filter;
  return command;
}

}  // namespace

Result<std::string> run_program(const std::vector<std::string>& arguments, const std::filesystem::path& folder, const std::optional<Credentials>& account,
                                std::string input) {
  VMPATCH_TRY(const SystemCallFilter filter, deny_escape());
  VMPATCH_TRY(Command command, confined(arguments, folder, account, filter, max_answer));
  command.input = std::move(input);
  VMPATCH_TRY(CommandOutput output, run(command));
  if (output.exit_code != 0) return fail(Errc::failed, "{}", reason(output));
  if (output.truncated) return fail(Errc::failed, "its answer has more than {}", format_size(max_answer));
  return std::move(output.out);
}

Result<void> run_program_into(int fd, std::uint64_t max_bytes, const std::vector<std::string>& arguments) {
  VMPATCH_TRY(const SystemCallFilter filter, deny_escape());
  VMPATCH_TRY(Command command, confined(arguments, "/", fresh_credentials(), filter, max_bytes + 1));
  command.descriptors = {{fd, STDOUT_FILENO}};
  VMPATCH_TRY(const CommandOutput output, run(command));
  struct stat info {};
  if (::fstat(fd, &info) != 0) return errno_error(errno, arguments.back());
  if (static_cast<std::uint64_t>(info.st_size) > max_bytes) return fail(Errc::untrusted, "it has more than {}", format_size(max_bytes));
  if (output.exit_code != 0) return fail(Errc::failed, "{}", reason(output));
  return {};
}

}  // namespace vmpatch::repository::apt
