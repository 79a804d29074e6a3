#include "vmpatch/guest/versions.hpp"

#include <memory>

// libsolv's C structures have a member that is a keyword of C++20.
#define requires solv_requires
extern "C" {
#include <solv/evr.h>
#include <solv/pool.h>
}
#undef requires

#include "guest/version_orders.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::guest {
namespace {

struct FreePool {
  void operator()(Pool* pool) const { pool_free(pool); }
};
using PoolPtr = std::unique_ptr<Pool, FreePool>;

// A pool is not safe to share between threads, and cheap enough to have one a thread.
Pool* pool_of(VersionScheme scheme) {
  thread_local PoolPtr deb;
  thread_local PoolPtr rpm;
  PoolPtr& pool = scheme == VersionScheme::deb ? deb : rpm;
  if (!pool) {
    pool.reset(pool_create());
    pool_setdisttype(pool.get(), scheme == VersionScheme::deb ? DISTTYPE_DEB : DISTTYPE_RPM);
  }
  return pool.get();
}

// Debian policy 5.6.12: an absent revision is equal to "0". libsolv orders it before.
std::string with_revision(const std::string& version) {
  return version.find('-') == std::string::npos ? version + "-0" : version;
}

}  // namespace

Result<VersionScheme> version_scheme(std::string_view package_manager) {
  if (package_manager == "dpkg") return VersionScheme::deb;
  if (package_manager == "rpm") return VersionScheme::rpm;
  if (package_manager == "apk") return VersionScheme::apk;
  if (package_manager == "pacman") return VersionScheme::alpm;
  return fail(Errc::unsupported, "version order of package manager '{}' is not known", package_manager);
}

int compare_versions(VersionScheme scheme, const std::string& a, const std::string& b) {
  if (scheme == VersionScheme::apk) return compare_apk_versions(a, b);
  if (scheme == VersionScheme::alpm) return compare_alpm_versions(a, b);
  const bool deb = scheme == VersionScheme::deb;
  return pool_evrcmp_str(pool_of(scheme), (deb ? with_revision(a) : a).c_str(), (deb ? with_revision(b) : b).c_str(),
                         EVRCMP_COMPARE);
}

}  // namespace vmpatch::guest
