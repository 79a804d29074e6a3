#pragma once
// Which file system is the guest's root, and how the others join it.

#include "guest/direct/tree.hpp"
#include "guest/direct/volumes.hpp"
#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest::direct {

/// Index of the root in `volumes.all`. Errors: as open().
Result<std::size_t> find_root(const Volumes& volumes);

struct JoinedTree {
  std::unique_ptr<Tree> tree;
  std::string summary;           ///< "/dev/sda2 (ext4) on /, …; not mounted: /srv (why)"
  bool hibernated_file = false;  ///< a swap file of the mount table holds a suspended system
};
/// Joins all file systems by the root's /etc/fstab. What is missing at a place that is not vital is blocked or left out.
Result<JoinedTree> join(Volumes& volumes, std::size_t root);

/// Regular file of at most `max_bytes`. Errors: not_found, failed, unsupported, timeout.
Result<std::string> read_file(Tree& tree, const std::string& path, std::uint64_t max_bytes);
/// As Guest::read_range().
Result<std::string> read_range(Tree& tree, const std::string& path, std::uint64_t offset, std::uint64_t length);

}  // namespace vmpatch::guest::direct
