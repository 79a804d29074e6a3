#pragma once
// What tells one disk content from another without reading it all. It survives a reboot of the host: nothing in it is given anew then.

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json_fwd.hpp"

namespace vmpatch::image {

/// One file of a chain. Times are nanoseconds since the epoch; birth_ns is 0 where the file system has none. Of a block device inode and
/// times are 0: those of its node mean nothing.
struct LayerIdentity {
  std::string path;    ///< for people; not compared
  std::string volume;  ///< file system that holds the file, or the block device: a name that lasts (src/image/volume.hpp)
  std::uint64_t inode = 0;
  std::int64_t birth_ns = 0;
  std::uint64_t size = 0;  ///< file size, or size of a block device
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  /// SHA-256: qcow2 header cluster with its snapshot table; raw block device: partition table and superblocks; raw file: of nothing.
  Digest header;
  std::string incarnation;      ///< block device: boot and attachment for which `written` counts; empty = not known
  std::uint64_t written = 0;    ///< block device: sectors written and discarded since it was attached

  /// Every field, `path` too; matches() is the comparison of content.
  bool operator==(const LayerIdentity&) const = default;
};

/// Which file or device it is, whatever is in it: "VOLUME/INODE/BIRTH". The key of leases and of recorded runs.
[[nodiscard]] std::string file_id(const LayerIdentity& layer);

/// Top layer first.
using DiskIdentity = std::vector<LayerIdentity>;

/// True when both name the same content: every compared field of every layer is equal (all but `path`; `written` within one
/// incarnation).
[[nodiscard]] bool matches(const DiskIdentity& a, const DiskIdentity& b);
/// First difference for people, e.g. "layer /x/web.qcow2: mtime moved"; empty when they match.
[[nodiscard]] std::string first_difference(const DiskIdentity& before, const DiskIdentity& now);

[[nodiscard]] Json to_json(const DiskIdentity& identity);
/// Takes the older form with a device number, too; it matches nothing.
Result<DiskIdentity> identity_from_json(const Json& json);

/// From an open descriptor, by statx and pread.
Result<LayerIdentity> identify_fd(int fd, const std::filesystem::path& path, bool is_qcow2);

}  // namespace vmpatch::image
