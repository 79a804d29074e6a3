#pragma once
// What is to be installed, by the rules of a mode.

#include <apt-pkg/depcache.h>

#include <map>
#include <string>

#include "repository/apt/origins.hpp"

namespace vmpatch::repository::apt {

/// An installed package that stays although a newer version is there.
struct KeptBack {
  std::string candidate;  ///< the newer version
  std::string why;
  bool security = false;  ///< a repository of security updates offers it
};
/// By the package's number in the cache.
using AllKeptBack = std::map<map_id_t, KeptBack>;

/// Marks `cache`. Errors: failed (no set of packages satisfies what depends on them; the guest must be mended first).
Result<AllKeptBack> mark_updates(pkgDepCache& cache, const ResolveRequest& request, const Origins& origins);

}  // namespace vmpatch::repository::apt
