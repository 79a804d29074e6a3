// Programs of the guest. libguestfs' own call gives no output of a program that fails, takes no time limit, and waits for
// every process that inherited its pipe, so the program runs below a small script: output goes to a file in memory, the exit
// code comes back as text, and what was left running is ended so that the file systems can be unmounted. The script is a file:
// one argument of a program holds at most 128 KiB (execve(2)), and a script may have the names of thousands of packages.
#include <algorithm>
#include <chrono>

#include "guest/guestfs/appliance_guest.hpp"
#include "guest/guestfs/scratch.hpp"
#include "guest/guestfs/script.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::guestfs {
namespace {

constexpr std::int64_t max_output = 4 << 20;
constexpr std::int64_t chunk = 1 << 20;  ///< an answer of libguestfs holds at most 4 MiB

}  // namespace

Result<std::string> ApplianceGuest::read_output(bool& truncated) {
  const std::int64_t size = guestfs_filesize(g(), output_file);
  if (size < 0) return last_error(g(), "read the output of a command");
  truncated = size > max_output;
  std::string output;
  for (std::int64_t offset = std::max<std::int64_t>(0, size - max_output); offset < size;) {
    std::size_t got = 0;
    const CString bytes(guestfs_pread(g(), output_file, static_cast<int>(std::min(chunk, size - offset)), offset, &got));
    if (!bytes || got == 0) return last_error(g(), "read the output of a command");
    output.append(bytes.get(), got);
    offset += static_cast<std::int64_t>(got);
  }
  if (output.size() > static_cast<std::size_t>(max_output)) output.erase(0, output.size() - static_cast<std::size_t>(max_output));
  return output;
}

Result<CommandResult> ApplianceGuest::command(const std::vector<std::string>& argv, const std::map<std::string, std::string>& env,
                                              Seconds timeout) {
  if (!writable() || !mounted_) return fail(Errc::failed, "commands run only in a guest that is open for writing");
  VMPATCH_TRY(const std::string script, make_script(argv, env, timeout, output_file));
  const std::string name = escape_untrusted(argv[0]);
  const auto start = std::chrono::steady_clock::now();
  VMPATCH_CHECK(write(script_file, script));
  const CString answer(guestfs_sh(g(), fmt::format("exec /bin/sh {}", script_file).c_str()));
  const bool late = std::chrono::steady_clock::now() - start >= timeout;
  if (!answer) return last_error(g(), "run in the guest", argv[0]);
  const auto code = parse_exit_code(answer.get());
  if (!code) return fail(Errc::failed, "cannot run {} in the guest: its shell gave no exit code", name);
  CommandResult result;
  result.exit_code = *code;
  VMPATCH_TRY(result.output, read_output(result.truncated));
  for (const char* file : {script_file, output_file}) VMPATCH_CHECK(check(g(), guestfs_rm_f(g(), file), "remove", file));
  // 124: timeout(1) ended it; 137: it had to kill.
  if (late && (*code == 124 || *code == 137)) {
    return fail(Errc::timeout, "{} did not end within {} s in the guest and was killed", name, timeout.count());
  }
  return result;
}

}  // namespace vmpatch::guest::guestfs
