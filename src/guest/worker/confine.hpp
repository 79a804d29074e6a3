#pragma once
// A worker shuts itself in before it touches guest content.

#include "guest/worker/setup.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::guest::worker {

/// Enters own namespaces as far as this host permits them, and gives up every privilege: mounts (a private /tmp in memory
/// with the sockets and the cache bound into it; `setup` is changed to those paths), network (none), IPC, processes (all
/// that the worker starts die with it). As root the uid changes to setup.run_as, and failing that is an error. An ordinary
/// user gets the same by a user namespace where `user_namespace` says so and the host permits it; else nothing changes.
///
/// With a process namespace the caller becomes a waiting outer process that never returns from here, and the worker goes
/// on in a child of it. `socket` is closed in the outer process.
Result<void> confine(Setup& setup, int socket, bool user_namespace);

}  // namespace vmpatch::guest::worker
