#pragma once
// Packages that stay as they are, whatever the repositories offer.

#include <apt-pkg/policy.h>

#include "repository/apt/request.hpp"

namespace vmpatch::repository::apt {

[[nodiscard]] bool is_excluded(const ResolveRequest& request, const pkgCache::PkgIterator& package);

/// The guest's preferences, with one thing more: an excluded package that is not installed has no candidate, so that what needs it stays,
/// too. (pkgPolicy::SetPriority(version, …) has no effect in 2.6, and a pin of the guest's own would come before one of ours.)
class ExcludingPolicy final : public pkgPolicy {
 public:
  ExcludingPolicy(pkgCache* cache, const ResolveRequest& request) : pkgPolicy(cache), request_(request) {}
  pkgCache::VerIterator GetCandidateVer(const pkgCache::PkgIterator& package) override;

 private:
  const ResolveRequest& request_;
};

}  // namespace vmpatch::repository::apt
