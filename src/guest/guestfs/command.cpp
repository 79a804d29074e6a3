// Programs of the guest. libguestfs' own call gives no output of a program that fails, takes no time limit, waits for every process that
// inherited its pipe, and leaves running what the program started, so the program runs in namespaces of its own, from a script of the
// appliance's shell: its output goes to a file in memory outside of the guest, the exit code comes back as text. What the guest's shell
// runs is a file: one argument of a program holds at most 128 KiB (execve(2)), and a script may have the names of thousands of packages.
#include <array>

#include "guest/guestfs/appliance_guest.hpp"
#include "guest/guestfs/scratch.hpp"
#include "guest/guestfs/script.hpp"
#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/uuid.hpp"

namespace vmpatch::guest::guestfs {
namespace {

constexpr std::uint64_t max_output = 4U << 20U;
constexpr std::uint64_t chunk = 1U << 20U;  ///< in base64 well below what an answer of libguestfs holds, 4 MiB

/// By the shell of the appliance, not of the guest. In every build of the daemon; if one day it is not, this fails.
Result<std::string> in_appliance(guestfs_h* g, std::string script, std::string_view what) {
  std::array<char*, 2> argv{script.data(), nullptr};
  const CString answer(guestfs_debug(g, "sh", argv.data()));
  if (!answer) return last_error(g, what);
  return std::string(answer.get());
}

/// What the program said last; its shells add how it ended.
std::string last_line(std::string_view output) {
  for (const std::string_view word : {"Terminated", "Killed"}) {
    output = trim(output);
    if (output.ends_with(word)) output.remove_suffix(word.size());
  }
  const auto lines = split(trim(output), '\n');
  const auto line = trim(lines.back()).substr(0, 200);
  return line.empty() ? "none" : escape_untrusted(line);
}

}  // namespace

Result<std::string> ApplianceGuest::read_output(std::uint64_t size) {
  std::string output;
  for (std::uint64_t offset = 0; offset < size; offset += chunk) {
    VMPATCH_TRY(const std::string text, in_appliance(g(), fmt::format("tail -c +{} {} | head -c {} | base64 -w 0", offset + 1, output_file, chunk),
                                                     "read the output of a command"));
    VMPATCH_TRY(const std::string bytes, from_base64(text));
    output += bytes;
  }
  if (output.size() != size) return fail(Errc::failed, "cannot read the output of a command: {} of {} bytes", output.size(), size);
  return output;
}

Result<CommandResult> ApplianceGuest::command(const std::vector<std::string>& argv, const std::map<std::string, std::string>& env,
                                              Seconds timeout) {
  if (!writable() || !mounted_) return fail(Errc::failed, "commands run only in a guest that is open for writing");
  VMPATCH_TRY(const std::string inner, make_inner_script(argv, env));
  // A name that nobody can have put there. Nothing of the guest runs now.
  const std::string file = fmt::format("{}/vm-patch-{}", run_folder, random_uuid());
  VMPATCH_CHECK(write(file, inner));
  VMPATCH_CHECK(chmod(file, 0600));
  const std::string name = escape_untrusted(argv[0]);
  VMPATCH_TRY(const std::string answer, in_appliance(g(), make_outer_script(file, timeout, output_file, max_output + 1), fmt::format("run {} in the guest", name)));
  const auto ending = parse_ending(answer);
  if (!ending) return fail(Errc::failed, "cannot run {} in the guest: the appliance's shell gave no exit code", name);
  // A program of the guest that left its root could have written any number.
  if (ending->output > max_output + 1) return fail(Errc::failed, "cannot run {} in the guest: {} bytes of output where at most {} were kept", name, ending->output, max_output);
  CommandResult result;
  result.exit_code = ending->exit_code;
  VMPATCH_TRY(result.output, read_output(ending->output));
  result.truncated = result.output.size() > max_output;
  if (result.truncated) result.output.erase(0, result.output.size() - max_output);
  VMPATCH_CHECK(check(g(), guestfs_rm_f(g(), file.c_str()), "remove", file));
  if (ending->late) {
    return fail(Errc::timeout, "{} did not end within {} s in the guest and was killed; the last line of its output: {}", name, timeout.count(),
                last_line(result.output));
  }
  return result;
}

}  // namespace vmpatch::guest::guestfs
