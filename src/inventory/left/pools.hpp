#pragma once

#include <map>
#include <optional>
#include <string>

#include "vmpatch/inventory/libvirt_folders.hpp"

namespace vmpatch::inventory {

/// A disk that is given by pool and volume has no path in its XML.
class Pools {
 public:
  explicit Pools(const LibvirtFolders& folders) : folders_(folders) {}

  /// In pools of folders a volume is the entry of its name.
  std::optional<fs::path> path_of(const Disk& disk);

 private:
  [[nodiscard]] std::optional<fs::path> load(const std::string& pool) const;

  const LibvirtFolders& folders_;
  std::map<std::string, std::optional<fs::path>> known_;
};

}  // namespace vmpatch::inventory
