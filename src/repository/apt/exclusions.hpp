#pragma once
// Packages that stay as they are, whatever the repositories offer.

#include <apt-pkg/policy.h>

#include "repository/apt/request.hpp"

namespace vmpatch::repository::apt {

[[nodiscard]] bool is_excluded(const ResolveRequest& request, const pkgCache::PkgIterator& package);

/// Those that are not installed have no candidate: what needs them stays, too. Before the dependency cache is built.
void refuse_excluded_new(pkgCache& cache, pkgPolicy& policy, const ResolveRequest& request);

}  // namespace vmpatch::repository::apt
