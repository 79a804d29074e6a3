#pragma once
// What an archive payload (any format that libarchive reads) would put into a guest.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::engine {

struct ArchiveEntry {
  std::string path;  ///< relative, normal, never leading out of the target folder
  enum class Kind { regular, directory, symlink } kind = Kind::regular;
  Digest sha256;       ///< regular
  std::string target;  ///< symlink
  unsigned mode = 0;
  std::uint32_t uid = 0, gid = 0;
};

/// Entries with digests. Refused: absolute names, "..", devices, fifos, more than 1,000,000 entries or 16 GiB.
Result<std::vector<ArchiveEntry>> list_archive(int fd, const std::string& name);

/// The same content as a plain pax tar written to `out_fd`, with the same refusals.
Result<void> write_plain_tar(int fd, const std::string& name, int out_fd);

}  // namespace vmpatch::engine
