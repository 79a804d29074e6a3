#include "repository/apt/unneeded.hpp"

#include <algorithm>
#include <vector>

namespace vmpatch::repository::apt {
namespace {

using Package = pkgCache::PkgIterator;

bool will_be_there(pkgDepCache& cache, const pkgCache::VerIterator& version) {
  const Package package = version.ParentPkg();
  return !cache[package].Delete() && cache[package].InstVerIter(cache) == version;
}

bool asked_for(pkgDepCache& cache, const Package& name) {
  for (auto dependency = name.RevDependsList(); !dependency.end(); ++dependency) {
    if (!dependency.IsNegative() && cache.IsImportantDep(dependency) && will_be_there(cache, dependency.ParentVer())) return true;
  }
  return false;
}

/// By its own name or by one that it provides.
bool is_needed(pkgDepCache& cache, const Package& package) {
  if (asked_for(cache, package)) return true;
  for (auto provided = cache[package].CandidateVerIter(cache).ProvidesList(); !provided.end(); ++provided) {
    if (asked_for(cache, provided.ParentPkg())) return true;
  }
  return false;
}

}  // namespace

bool drop_unneeded_new(pkgDepCache& cache) {
  if (!cache.MarkAndSweep()) return false;
  std::vector<Package> dropped;
  for (Package package = cache.PkgBegin(); !package.end(); ++package) {
    if (cache[package].Garbage && cache[package].NewInstall()) dropped.push_back(package);
  }
  for (const Package& package : dropped) cache.MarkDelete(package, false, 0, false);
  while (cache.BrokenCount() != 0 || cache.PolicyBrokenCount() != 0) {
    const auto needed = std::find_if(dropped.begin(), dropped.end(), [&](const Package& package) { return is_needed(cache, package); });
    if (needed == dropped.end()) break;
    cache.MarkInstall(*needed, false, 0, false);
    dropped.erase(needed);
  }
  return cache.MarkAndSweep();
}

}  // namespace vmpatch::repository::apt
