#pragma once
// Landlock domains (landlock(7)): whatever it is allowed, a process reaches no memory of one outside of its domain, such as
// another machine's block server of the same account.

namespace vmpatch {

enum class DomainFiles {
  as_before,  ///< no devices are made
  unchanged,  ///< none is written, made, removed or executed; descriptors that are open stay what they are
};

/// This process from now on. Needs PR_SET_NO_NEW_PRIVS. Kernels without Landlock go on without. Async-signal-safe.
void enter_own_domain(DomainFiles files);

}  // namespace vmpatch
