#pragma once
// The entries of one directory, block by block. libext2fs' own iterator follows every block pointer, also beyond the
// directory's size: a few forged blocks that name each other a thousand times each keep it for hours.

#include <ext2fs/ext2fs.h>

#include <cstdint>
#include <functional>
#include <string_view>

#include "guest/direct/deadline.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::guest::direct {

struct DirectoryEntry {
  std::string_view name;  ///< neither empty nor with '/' or NUL; valid during the call
  std::uint32_t inode = 0;
  int type = EXT2_FT_UNKNOWN;
};
/// Returns false to stop.
using EachEntry = std::function<bool(const DirectoryEntry&)>;

/// Of directories; an honest one of this size holds some millions of names.
inline constexpr std::uint64_t max_directory_bytes = 128U << 20U;

/// Calls `each` for every entry but "." and "..", in the order of the disk, and looks at no more blocks than the size of
/// the directory has. `explain` makes an error of a number of libext2fs. Errors: its own; failed (too large, damaged);
/// timeout.
Result<void> walk_directory(ext2_filsys fs, std::uint32_t number, ext2_inode_large& inode, const EachEntry& each,
                            const Deadline& deadline, const std::function<Error(errcode_t)>& explain);

}  // namespace vmpatch::guest::direct
