#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vmpatch/image/chain.hpp"

namespace vmpatch::image {

struct SnapshotTable {
  std::vector<InternalSnapshot> snapshots;
  std::string bytes;  ///< as stored, for the identity digest
};

/// Reads `count` entries at `offset`, at most 16 MiB; Errc::refused when the table does not hold them.
Result<SnapshotTable> load_snapshot_table(int fd, std::uint64_t offset, std::uint32_t count, const fs::path& path);

}  // namespace vmpatch::image
