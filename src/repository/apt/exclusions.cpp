#include "repository/apt/exclusions.hpp"

#include <apt-pkg/cacheiterators.h>
#include <fnmatch.h>

#include <algorithm>

namespace vmpatch::repository::apt {

bool is_excluded(const ResolveRequest& request, const pkgCache::PkgIterator& package) {
  return std::any_of(request.exclude.begin(), request.exclude.end(), [&](const std::string& pattern) {
    return ::fnmatch(pattern.c_str(), package.Name(), 0) == 0;
  });
}

void refuse_excluded_new(pkgCache& cache, pkgPolicy& policy, const ResolveRequest& request) {
  for (auto package = cache.PkgBegin(); !package.end(); ++package) {
    if (!package.CurrentVer().end() || !is_excluded(request, package)) continue;
    for (auto version = package.VersionList(); !version.end(); ++version) policy.SetPriority(version, -1);
  }
}

}  // namespace vmpatch::repository::apt
