#pragma once
// What is to be installed, by the rules of a mode.

#include <apt-pkg/depcache.h>

#include <map>
#include <string>

#include "repository/apt/origins.hpp"

namespace vmpatch::repository::apt {

/// Why a package stays at its version although a newer one is there, by the package's number in the cache.
using KeptBack = std::map<map_id_t, std::string>;

/// Marks `cache`. Errors: failed (no set of packages satisfies what depends on them).
Result<KeptBack> mark_updates(pkgDepCache& cache, const ResolveRequest& request, const Origins& origins, const std::string& machine_id);

}  // namespace vmpatch::repository::apt
