#pragma once
// Packages as a database gives them one after the other, in bounds that no honest guest comes near: what a forged database
// holds is kept, printed and stored several times over.

#include <cstddef>
#include <vector>

#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {

/// Of a name, version, architecture, source or status, in bytes. dpkg's and rpm's longest versions have some 60.
inline constexpr std::size_t max_package_field = 512;

class PackageList {
 public:
  static constexpr std::size_t max_packages = 50'000;   ///< all of Debian are not many more
  static constexpr std::size_t max_bytes = 8U << 20U;       ///< of all fields; 5,000 packages of Debian have 0.5 MiB

  /// Errors: failed (too many, or too large together).
  Result<void> add(Package package);
  [[nodiscard]] bool empty() const { return packages_.empty(); }
  [[nodiscard]] std::vector<Package> take() { return std::move(packages_); }

 private:
  std::vector<Package> packages_;
  std::size_t bytes_ = 0;
};

}  // namespace vmpatch::guest
