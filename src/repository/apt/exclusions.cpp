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

pkgCache::VerIterator ExcludingPolicy::GetCandidateVer(const pkgCache::PkgIterator& package) {
  if (package.CurrentVer().end() && is_excluded(request_, package)) return {};
  return pkgPolicy::GetCandidateVer(package);
}

}  // namespace vmpatch::repository::apt
