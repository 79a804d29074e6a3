#include "cli/scan/package_version.hpp"

#include <tuple>

#include "vmpatch/guest/versions.hpp"

namespace vmpatch::cli {

bool is_same_version(const PackageVersion& a, const guest::Facts& facts, const guest::Package& package) {
  return a.system == facts.os.pretty_name && a.package_manager == facts.package_manager && a.package.name == package.name &&
         a.package.version == package.version && a.package.arch == package.arch && a.package.source == package.source &&
         a.package.source_version == package.source_version;
}

bool comes_before(const PackageVersion& a, const PackageVersion& b) {
  if (a.package.name != b.package.name) return a.package.name < b.package.name;
  // Versions are only in order within one package manager.
  if (a.package_manager != b.package_manager) return a.package_manager < b.package_manager;
  if (const auto scheme = guest::version_scheme(a.package_manager)) {
    if (const int order = guest::compare_versions(*scheme, a.package.version, b.package.version); order != 0) return order < 0;
  }
  return std::tie(a.package.version, a.system, a.package.arch) < std::tie(b.package.version, b.system, b.package.arch);
}

}  // namespace vmpatch::cli
