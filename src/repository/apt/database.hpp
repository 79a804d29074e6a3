#pragma once
// Whether libapt-pkg has read the guest's package database as it is written.

#include <apt-pkg/depcache.h>

#include <string>

#include "vmpatch/core/result.hpp"

namespace vmpatch::repository::apt {

/// libapt-pkg passes silently over a stanza that it does not understand, and the package would be missing in every answer.
/// Errors: failed (as many packages are not seen as are written there, or none is installed).
Result<void> check_database(pkgDepCache& cache, const std::string& folder);

}  // namespace vmpatch::repository::apt
