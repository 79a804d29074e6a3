#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::fleet {

/// Which files only one machine uses.
class DiskUse {
 public:
  explicit DiskUse(const inventory::Inventory& inventory);
  /// Allocated bytes of the layers that no other machine and no other image uses: what would become free. Blocks that the
  /// file system shares between files (reflinks) are counted.
  [[nodiscard]] std::uint64_t own_bytes(const inventory::Machine& machine) const;

 private:
  std::map<std::filesystem::path, std::set<std::string>> users_;  ///< UUIDs
};

/// Bytes that a regular file takes on its file system; 0 for anything else.
std::uint64_t allocated_bytes(const std::filesystem::path& file);

}  // namespace vmpatch::fleet
