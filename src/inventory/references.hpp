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
  /// Those that there are.
  std::set<FileKey> of_all(const std::vector<fs::path>& paths);

 private:
  std::map<fs::path, std::optional<FileKey>> known_;
};

/// Which headers are read. A guest writes the first bytes of its raw disk, so those are never a header.
struct Reach {
  std::vector<fs::path> folders;  ///< allowed ones, and those of files that machines write
  std::set<FileKey> raw;          ///< disks that are said to be raw
};

/// Of the disks as they are said to be: by libvirt, by its folders where it is silent, by an operator. Those of another computer do not count.
Reach make_reach(const Inventory& inventory, const std::vector<fs::path>& allowed, FileKeys& keys);

/// What an image stands on, by headers.
struct Below {
  std::set<FileKey> said;          ///< by those of files that are said to be qcow2
  std::set<FileKey> maybe;         ///< by those of files of which nobody says what they are
  std::vector<fs::path> unopened;  ///< files out of reach that are said to be below, and may stand on others
};

/// Nothing for a file that is no qcow2 image. `is_said`: somebody says that it is one. `own_folder` (empty: none) is within reach, too.
Below find_files_below(const fs::path& image, bool is_said, const fs::path& own_folder, const Reach& reach, FileKeys& keys);

/// The files of one disk: what it writes, and what lies below.
struct DiskFiles {
  std::optional<FileKey> top;
  Below below;
};

/// From the layers where the chain could be read; else from what headers and XML name, so that a chain that the screen
/// refuses still counts.
DiskFiles find_disk_files(const Disk& disk, const Reach& reach, FileKeys& keys);

/// Somebody says what the disk is. The end .img says it of no clone: qcow2 images have it, too.
[[nodiscard]] bool is_format_said(const Disk& disk);

/// Regular files of a folder. Errc::refused above 10,000 entries.
Result<std::vector<fs::path>> load_neighbours(const fs::path& folder);

}  // namespace vmpatch::inventory
