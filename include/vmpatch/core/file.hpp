#pragma once
// Small files of our own. Guest disks never pass through here: see the image module.

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "vmpatch/core/result.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch {

namespace fs = std::filesystem;

/// Whole content; larger than `max_bytes` is Errc::failed, a missing file Errc::not_found. Follows symlinks.
Result<std::string> read_file(const fs::path& path, std::uint64_t max_bytes = 64U << 20U);
/// The same from an open descriptor, from offset 0.
Result<std::string> read_fd(int fd, std::uint64_t max_bytes, std::string_view name);

/// New content appears whole or not at all, with exactly `mode`: temporary file in the same folder, fsync, rename, fsync of the folder. A device, FIFO, socket or folder of that name: refused.
Result<void> write_file_atomic(const fs::path& path, std::string_view content, mode_t mode = 0644);
/// The same for a file that must not exist yet: of several at once one wins.
Result<void> create_file(const fs::path& path, std::string_view content, mode_t mode);
Result<void> write_all(int fd, std::string_view bytes);

/// Whether what is made must still be there after the host lost its power.
enum class Lifetime { durable, scratch };
/// mkdir -p; the last folder gets `mode` when it is created.
Result<void> make_dirs(const fs::path& path, mode_t mode = 0755, Lifetime lifetime = Lifetime::durable);
Result<void> fsync_dir(const fs::path& path);
/// The same after something got a name in the folder. One that may be written and not be read cannot be opened for it: what was
/// made is in its place all the same.
Result<void> fsync_new_entry(const fs::path& folder);
/// rm -rf, without following symlinks; a missing path is success.
Result<void> remove_tree(const fs::path& path);
/// Free bytes for this user on the file system that holds `path`.
Result<std::uint64_t> free_space(const fs::path& path);

/// Exclusive flock on `path` (created 0600). Held by somebody else: Errc::busy.
Result<UniqueFd> lock_file(const fs::path& path);

}  // namespace vmpatch
