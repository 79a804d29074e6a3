#pragma once

#include <string>
#include <vector>

#include "vmpatch/guest/facts.hpp"
#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::cli {

/// One version of one package, and who has it.
struct PackageVersion {
  std::string package_manager, system;
  guest::Package package;
  std::vector<const inventory::Machine*> machines;
};

bool is_same_version(const PackageVersion& a, const guest::Facts& facts, const guest::Package& package);

/// By name, package manager, version as the package manager compares it, system, architecture. A strict weak order.
bool comes_before(const PackageVersion& a, const PackageVersion& b);

}  // namespace vmpatch::cli
