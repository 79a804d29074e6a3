#pragma once
// How this module opens and reads a disk file: once, without following a symlink, and by pread from then on.

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/result.hpp"
#include "vmpatch/core/unique_fd.hpp"
#include "vmpatch/image/header.hpp"

namespace vmpatch::image {

namespace fs = std::filesystem;

struct OpenedFile {
  UniqueFd fd;
  struct stat info {};
  std::uint64_t size = 0;  ///< file size, or size of the block device
  [[nodiscard]] bool block_device() const { return S_ISBLK(info.st_mode); }
};

/// Path with its folder made canonical. A symlink as the last component is followed under /dev (LVM names) and
/// Errc::refused elsewhere. Errc::not_found when the folder or the file is missing.
Result<fs::path> canonical_image_path(const fs::path& path);

/// Whether a canonical path lies in one of these folders or below. A folder that is not there holds nothing.
[[nodiscard]] bool lies_in_any(const fs::path& canonical, const std::vector<fs::path>& folders);

/// Opens a canonical path with `access` (O_RDONLY or O_RDWR). Anything but a regular file or block device is
/// Errc::refused.
Result<OpenedFile> open_disk_file(const fs::path& canonical, int access);

/// A second open file description of the same inode, read-only.
Result<UniqueFd> reopen_read_only(int fd, const fs::path& path);

/// dup(); an invalid `fd` (an image that was opened read-only) is an error.
Result<UniqueFd> duplicate(int fd, const fs::path& path);

/// Device of the file, or the device that a block special file stands for; with the inode it names one disk.
[[nodiscard]] std::uint64_t disk_device(const struct stat& info);

/// Up to `length` bytes at `offset`; fewer only at the end of the file.
Result<std::string> read_at(int fd, std::uint64_t offset, std::uint64_t length, const fs::path& path);
Result<std::uint64_t> disk_size(int fd, const struct stat& info, const fs::path& path);

/// Reads and screens a qcow2 header; errors start with the path.
Result<Qcow2Header> load_qcow2_header(int fd, std::uint64_t file_size, std::uint64_t max_virtual_size,
                                      const fs::path& path);

/// Path as text for messages: paths may come from image headers.
[[nodiscard]] std::string shown(const fs::path& path);

}  // namespace vmpatch::image
