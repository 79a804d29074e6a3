#pragma once
// What tells one disk content from another without reading it all (DESIGN §5).

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json_fwd.hpp"

namespace vmpatch::image {

/// One file of a chain. Times are nanoseconds since the epoch; birth_ns is 0 where the file system has none.
struct LayerIdentity {
  std::string path;  ///< for people; not compared
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t birth_ns = 0;
  std::uint64_t size = 0;  ///< file size, or size of a block device
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  Digest header;  ///< SHA-256 of the qcow2 header cluster with its snapshot table; of nothing for raw

  /// Every field, `path` too; matches() is the comparison of content.
  bool operator==(const LayerIdentity&) const = default;
};

/// Top layer first.
using DiskIdentity = std::vector<LayerIdentity>;

/// True when both name the same content: every compared field of every layer is equal (all but `path`).
[[nodiscard]] bool matches(const DiskIdentity& a, const DiskIdentity& b);
/// First difference for people, e.g. "layer /x/web.qcow2: mtime moved"; empty when they match.
[[nodiscard]] std::string first_difference(const DiskIdentity& before, const DiskIdentity& now);

[[nodiscard]] Json to_json(const DiskIdentity& identity);
Result<DiskIdentity> identity_from_json(const Json& json);

/// From an open descriptor, by statx and pread.
Result<LayerIdentity> identify_fd(int fd, const std::filesystem::path& path, bool is_qcow2);

}  // namespace vmpatch::image
