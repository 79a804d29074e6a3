#pragma once
// Starting the worker programs.

#include <optional>
#include <string>

#include "guest/worker/remote_guest.hpp"

namespace vmpatch::guest::worker {

inline constexpr const char* direct_program = "vm-patch-guest";

/// The argument that makes vm-patch-appliance print what this host does not permit it, and end.
inline constexpr const char* confinement_question = "--confinement";

/// A worker program that waits for its first frame.
struct StartedWorker final : PreparedReader {
  UniqueFd socket;
  Child child;
};

/// The program as this host's unprivileged account, with no right to new processes, sockets or privileges.
Result<StartedWorker> start_confined(const std::string& program, int log_fd);

/// Reads the file through `guest` and asks an own process about its content. Content that is too large is unsupported.
Result<std::optional<std::string>> ask_augeas(Guest& guest, const std::string& path, const std::string& lens,
                                              const std::string& node, int log_fd);

/// Of an error that a worker sent.
Errc parse_errc(std::string_view name);

}  // namespace vmpatch::guest::worker
