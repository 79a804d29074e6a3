#pragma once
// The scripts that run one program of the guest. Pure.
//
// Two shells: the appliance's own runs the outer script, the guest's the inner one, as process 1 of new namespaces of processes, mounts
// and names. Whatever the program leaves behind, be it thousands of processes, ends with that one; what it mounts goes away; the
// processes of the appliance it cannot see.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/core/clock.hpp"

namespace vmpatch::guest::guestfs {

/// One word of a POSIX shell, whatever bytes it holds (no NUL).
[[nodiscard]] std::string quote(std::string_view word);

/// For the guest's shell: runs `argv` with exactly this environment on top of PATH, HOME and LANG. Failed: no program, NUL bytes, names
/// of variables that a shell does not know.
Result<std::string> make_inner_script(const std::vector<std::string>& argv, const std::map<std::string, std::string>& env);

/// For the appliance's shell: runs the inner script, a file of the guest, for at most `timeout`; keeps the last `max_output` bytes of its
/// output at `output`, outside of the guest; prints what parse_ending() reads.
[[nodiscard]] std::string make_outer_script(const std::string& inner, Seconds timeout, const std::string& output, std::uint64_t max_output);

struct Ending {
  int exit_code = -1;
  std::uint64_t output = 0;  ///< bytes that were kept
  bool late = false;         ///< timeout(1) ended it: by its own word, for the appliance's clock need not go as ours does
};

/// nullopt for anything but an exit code from 0 to 255, a size, and a number of signals that timeout(1) has sent.
std::optional<Ending> parse_ending(std::string_view text);

}  // namespace vmpatch::guest::guestfs
