#pragma once
// Phased updates: which of them this machine takes already.

#include <apt-pkg/depcache.h>

namespace vmpatch::repository::apt {

/// Decides as APT does (apt_preferences(5), "Phased updates"): by a number drawn from source package, its version and machine-id; a machine
/// without id (APT::Machine-ID) takes all, and the guest's settings come first. The library would do it, too, but starts a program for it. To be called before the upgrade is calculated.
void decide_phases(pkgDepCache& cache);

/// Whether a full upgrade may depend on the machine's id: a version of an installed package is phased (the library asks of no others), and no
/// setting of the guest says what becomes of phases.
[[nodiscard]] bool needs_id(pkgDepCache& cache);

}  // namespace vmpatch::repository::apt
