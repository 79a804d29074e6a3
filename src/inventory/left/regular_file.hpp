#pragma once
// Files of libvirt, which may be small or as large as a machine's memory, and lie in folders that a QEMU may write in.

#include <cstdint>
#include <filesystem>
#include <string>

#include "vmpatch/core/result.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::inventory {

enum class Links { refused, followed };

struct RegularFile {
  UniqueFd fd;
  std::uint64_t size = 0;
  std::string name;  ///< escaped, for messages
};

/// Never hangs on a FIFO or device: Errc::refused. not_found: there is none.
Result<RegularFile> open_regular(const std::filesystem::path& path, Links links);

/// Up to `length` bytes from `offset`; fewer only at the end of the file.
Result<std::string> read_range(const RegularFile& file, std::uint64_t offset, std::uint64_t length);

}  // namespace vmpatch::inventory
