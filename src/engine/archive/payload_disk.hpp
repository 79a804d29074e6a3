#pragma once
// Payloads reach the guest as a read-only disk: an ISO 9660 image with Rock Ridge names, written by libarchive from
// descriptors of the payload store that were hashed just now.

#include <filesystem>
#include <string>
#include <vector>

#include "vmpatch/core/result.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::engine {

struct DiskFile {
  std::string name;  ///< as the guest sees it
  UniqueFd content;
};

/// Writes `path` (must not exist, 0600).
Result<void> write_payload_disk(const std::filesystem::path& path, const std::vector<DiskFile>& files);

}  // namespace vmpatch::engine
