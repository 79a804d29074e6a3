#pragma once
// Which file depends on which, by device and inode, so that two paths of one file count as one.

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "vmpatch/image/backing.hpp"
#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory {

using image::FileKey;

/// Remembers the key of every path that was asked for.
class FileKeys {
 public:
  std::optional<FileKey> of(const fs::path& path);

 private:
  std::map<fs::path, std::optional<FileKey>> known_;
};

/// The files of one disk: what it writes, and what lies below.
struct DiskFiles {
  std::optional<FileKey> top;
  std::set<FileKey> below;
};

/// From the layers where the chain could be read; else from what headers and XML name, so that a chain that the screen
/// refuses still counts.
DiskFiles find_disk_files(const Disk& disk, FileKeys& keys);

/// Every file that `image` stands on, by its headers alone; nothing for a file that is no qcow2 image.
std::set<FileKey> find_files_below(const fs::path& image, FileKeys& keys);

/// Regular files of a folder. Errc::refused above 10,000 entries.
Result<std::vector<fs::path>> load_neighbours(const fs::path& folder);

}  // namespace vmpatch::inventory
