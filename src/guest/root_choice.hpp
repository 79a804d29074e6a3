#pragma once
// Which of the file systems that look like a root is the machine's: pure.

#include <string_view>
#include <vector>

#include "vmpatch/core/format.hpp"
#include "vmpatch/guest/disks.hpp"

namespace vmpatch::guest {

/// A file system, or one subvolume of a btrfs, in which an operating system lies.
struct RootCandidate {
  FileSystem file_system;
  bool read_only = false;         ///< of a subvolume: it is marked so, as snapshots are
  std::vector<MountEntry> fstab;  ///< its own
};

/// Kept by snapper (below .snapshots) or timeshift. `subvolume` as FileSystem has it.
[[nodiscard]] bool is_snapshot_path(std::string_view subvolume);

/// The subvolumes of one btrfs are one system: its default one where that is a candidate, else the one whose fstab names itself
/// for /, else the only one that is no snapshot. Errors: not_found (no candidate, or snapshots alone); refused (several: they
/// are named).
Result<FileSystem> choose_root(const std::vector<RootCandidate>& candidates);

/// Refused: none of them holds an operating system; says what they are, and that one is encrypted. `trouble`: an error on the
/// way, or "".
[[nodiscard]] Error no_root(const std::vector<FileSystem>& all, const std::string& trouble);

}  // namespace vmpatch::guest
