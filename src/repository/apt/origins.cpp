#include "repository/apt/origins.hpp"

#include <apt-pkg/cacheiterators.h>

namespace vmpatch::repository::apt {
namespace {

/// Calls `each` with (number of the source, file) for every repository that has the version.
template <class Each>
void for_each_source(const ListedSources& listed, const pkgCache::VerIterator& version, Each each) {
  for (auto file = version.FileList(); !file.end(); ++file) {
    const char* name = file.File().FileName();
    const auto found = name == nullptr ? listed.end() : listed.find(name);
    if (found != listed.end()) each(found->second, file);
  }
}

}  // namespace

std::optional<Origins::Offer> Origins::find(const pkgCache::VerIterator& version) const {
  std::optional<Offer> first;
  for_each_source(listed_, version, [&](std::size_t source, const pkgCache::VerFileIterator& file) {
    if (!first || source < first->source) first = Offer{source, file};
  });
  return first;
}

bool Origins::is_security(const pkgCache::VerIterator& version) const {
  bool security = false;
  for_each_source(listed_, version, [&](std::size_t source, const pkgCache::VerFileIterator&) {
    security = security || request_.sources[source].security;
  });
  return security;
}

bool Origins::knows(const pkgCache::PkgIterator& package) const {
  for (auto version = package.VersionList(); !version.end(); ++version) {
    if (find(version)) return true;
  }
  return false;
}

}  // namespace vmpatch::repository::apt
