#pragma once
// Which repository offers a version.

#include <apt-pkg/pkgcache.h>

#include <optional>
#include <vector>

#include "repository/apt/configuration.hpp"

namespace vmpatch::repository::apt {

class Origins {
 public:
  Origins(const ResolveRequest& request, const ListedSources& listed) : request_(request), listed_(listed) {}

  struct Offer {
    std::size_t source;  ///< number in the request
    pkgCache::VerFileIterator file;
  };
  /// The first of the request's repositories that has it; nothing for one that only the guest knows.
  [[nodiscard]] std::optional<Offer> find(const pkgCache::VerIterator& version) const;
  /// Whether a repository of security updates has it.
  [[nodiscard]] bool is_security(const pkgCache::VerIterator& version) const;
  /// Whether any version of the package is offered.
  [[nodiscard]] bool knows(const pkgCache::PkgIterator& package) const;

 private:
  const ResolveRequest& request_;
  const ListedSources& listed_;
};

}  // namespace vmpatch::repository::apt
