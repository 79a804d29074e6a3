#pragma once
// New packages that nothing needs.

#include <apt-pkg/depcache.h>

namespace vmpatch::repository::apt {

/// The resolver takes packages in for what it then leaves. As apt-get does after it, such packages are not installed, but for those that
/// others turn out to need. False: libapt-pkg has an error.
bool drop_unneeded_new(pkgDepCache& cache);

}  // namespace vmpatch::repository::apt
