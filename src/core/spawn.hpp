#pragma once
// The step from a Command to a running child, shared by run() and Child.

#include "vmpatch/core/process.hpp"

namespace vmpatch {

struct StandardStreams {
  int in = -1;
  int out = -1;
  int err = -1;
};

/// Starts the program in a new process group with exactly these streams and `command.descriptors`. Returns once the
/// program has been executed, or with the reason why it could not be. The caller reaps the child.
Result<pid_t> spawn(const Command& command, const StandardStreams& streams);

/// What the child reads as its standard input: /dev/null or a memory file with `input`.
Result<UniqueFd> open_input(const std::string& input);

}  // namespace vmpatch
