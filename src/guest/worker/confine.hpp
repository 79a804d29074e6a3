#pragma once
// A worker shuts itself in before it touches guest content.

#include <string>
#include <vector>

#include "guest/worker/setup.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::guest::worker {

/// Gives up everything that an appliance does not need, as far as this host permits it:
///   - a root folder of its own (own_root.hpp), a network without anything, IPC and processes of its own: all that it starts dies with it.
///     An ordinary user makes these in a user namespace, where the host permits that;
///   - as root its uid, which becomes setup.run_as, and every supplementary group but that of /dev/kvm;
///   - capabilities and new privileges, the system calls that lead out (deny_leaving()), and, without a root folder of its own, every file
///     that an appliance does not need (Landlock).
/// `setup` is changed to the paths inside. Value: what this host does not permit, a phrase each. Errors: what must not be missing (as
/// root the change of uid; the system-call filter), and a root folder that could be begun and not finished.
///
/// With a process namespace the caller becomes a waiting outer process that never returns from here, and the worker goes
/// on in a child of it. `socket` is closed in the outer process.
Result<std::vector<std::string>> confine(Setup& setup, int socket);

}  // namespace vmpatch::guest::worker
