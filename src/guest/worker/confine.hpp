#pragma once
// A worker shuts itself in before it touches guest content.

#include "guest/worker/setup.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::guest::worker {

/// Enters own namespaces as far as this host permits them, and gives up every privilege: mounts (a private /tmp in memory
/// with the sockets and the cache bound into it; `setup` is changed to those paths), network (none), IPC, processes (all
/// that the worker starts die with it). As root the uid changes to setup.run_as, and failing that is an error. For an
/// ordinary user nothing changes: in a user namespace root's files belong to nobody, supermin copies that into the
/// appliance, and mount(8), which is no longer root's there, cannot mount.
///
/// With a process namespace the caller becomes a waiting outer process that never returns from here, and the worker goes
/// on in a child of it. `socket` is closed in the outer process.
Result<void> confine(Setup& setup, int socket);

}  // namespace vmpatch::guest::worker
