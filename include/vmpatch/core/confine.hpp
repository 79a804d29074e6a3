#pragma once
// How a program shuts itself in before it touches guest content and starts QEMU. Target: core_confine.

#include <sys/resource.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/core/process.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch {

/// Where a confined program's own folder lies in its root folder.
inline constexpr const char* own_tmp = "/tmp/work";

/// What the program keeps of its host, besides programs and libraries (/usr, read-only).
struct Confinement {
  /// A file, folder or socket, and where it lies in the root folder.
  struct Part {
    std::filesystem::path outside;
    std::string inside;
    bool writable = false;
  };
  std::vector<Part> parts;
  std::filesystem::path tmp;           ///< its own folder, 0700, where it gets no root folder; empty = none
  std::uint64_t memory = 16U << 20U;   ///< bytes that files in its /tmp may take
  std::optional<Credentials> run_as;   ///< required as root
  std::optional<gid_t> kvm_group;      ///< the one supplementary group that it keeps
};

/// Of each process that a program shut in has, and where the account is one run's alone of how many processes and threads it has. The largest file
/// is in bytes.
std::vector<std::pair<int, rlim_t>> confined_limits(const std::optional<Credentials>& account, rlim_t largest_file);

struct Confined {
  std::vector<std::string> missing;  ///< what this host does not permit, a phrase each
  bool own_root = false;             ///< parts are at their `inside`, its own folder is own_tmp
};

/// Which group /dev/kvm is for, where it is for root and one group alone.
std::optional<gid_t> kvm_group();

/// Gives up everything that QEMU does not need, as far as this host permits it:
///   - a root folder of its own (enter_own_root()), a network without anything, IPC and processes of its own: all that it starts dies with
///     it. An ordinary user makes these in a user namespace, where the host permits that;
///   - as root its uid, which becomes run_as, and every supplementary group but that of /dev/kvm;
///   - capabilities and new privileges, the system calls that lead out (deny_leaving()), and, without a root folder of its own, every file
///     that it does not need (Landlock).
/// Errors: what must not be missing (as root the change of uid; the system-call filter), and a root folder that could be begun and not
/// finished.
///
/// With a process namespace the caller becomes a waiting outer process that never returns from here, and the program goes
/// on in a child of it. `socket`, whose end tells the parent that the program is gone, is closed in the outer process; -1 = none.
Result<Confined> confine(const Confinement& confinement, int socket);

}  // namespace vmpatch
