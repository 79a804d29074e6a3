#pragma once
// Landlock domains (landlock(7)): whatever it is allowed, a process reaches no memory of one outside of its domain, such as
// another machine's block server of the same account.

#include "vmpatch/core/seccomp.hpp"

namespace vmpatch {

enum class DomainFiles {
  as_before,  ///< no devices are made
  unchanged,  ///< none is written, made, removed or executed; descriptors that are open stay what they are
};

/// This process from now on. Needs PR_SET_NO_NEW_PRIVS. Kernels without Landlock go on without. Async-signal-safe.
void enter_own_domain(DomainFiles files);

/// Likewise, and no file outside of these folders is opened, made, removed or executed. Not async-signal-safe. Errors: failed
/// (the kernel has Landlock, but the folder to write cannot be entered).
Result<void> enter_own_domain(const FilesBelow& files);

}  // namespace vmpatch
