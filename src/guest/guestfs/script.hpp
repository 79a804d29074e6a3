#pragma once
// The script that runs one program of the guest. Pure.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/core/clock.hpp"

namespace vmpatch::guest::guestfs {

/// One word of a POSIX shell, whatever bytes it holds (no NUL).
[[nodiscard]] std::string quote(std::string_view word);

/// For `sh -c` in the guest: runs `argv` with exactly this environment on top of PATH, HOME and LANG, output to `output`,
/// and prints the exit code. Failed: no program, NUL bytes, names of variables that a shell does not know.
Result<std::string> make_script(const std::vector<std::string>& argv, const std::map<std::string, std::string>& env,
                                Seconds timeout, const std::string& output);

/// What the script prints; nullopt for anything but a number from 0 to 255.
std::optional<int> parse_exit_code(std::string_view text);

}  // namespace vmpatch::guest::guestfs
