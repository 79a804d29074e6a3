#pragma once
// A root folder of a confined program's own, in memory: what it needs of the host, read-only, and nothing else. No home, no /run, no /var,
// so no socket or file of another program.

#include "vmpatch/core/confine.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch {

/// In a mount namespace of this process: /usr and what leads to it, the linker's cache, a few devices, the parts that the confinement names,
/// and a /tmp of bounded size with `own_tmp` in it. The host's /proc is still at /proc: a process namespace mounts its own over it.
/// Afterwards call seal_root(). Errors: unsupported (mounts cannot be changed here at all, and nothing was); failed.
Result<void> enter_own_root(const Confinement& confinement);

/// The last one: nothing outside of /tmp and /proc can be made any more.
Result<void> seal_root();

}  // namespace vmpatch
