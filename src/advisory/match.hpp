#pragma once
// A machine's packages against the store.

#include <string>
#include <vector>

#include "advisory/store.hpp"

namespace vmpatch::advisory {

/// The source package that feeds know a package by, with its version. A kernel signed by the distribution is built from a
/// source package of its own (linux-signed-amd64 6.1.76+1), advisories name the kernel's (linux 6.1.76-1). So is Debian's GRUB.
struct SourcePackage {
  std::string name;
  std::string version;
};
SourcePackage source_of(const guest::Package& package);

/// Database::match().
Result<std::vector<Finding>> match_packages(const Store& store, const guest::Facts& facts);

}  // namespace vmpatch::advisory
