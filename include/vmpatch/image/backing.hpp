#pragma once
// Which file an image depends on, for finding children. Not a screen: it believes a header that Chain::open refuses,
// because a child with a bad header still is somebody's child.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vmpatch/core/result.hpp"

namespace vmpatch::image {

/// Device and inode of a regular file; device number and 0 of a block device. Names one disk under all its paths.
using FileKey = std::pair<std::uint64_t, std::uint64_t>;

/// Follows symlinks. Errc::not_found; refused for anything but a regular file or block device.
Result<FileKey> file_key(const std::filesystem::path& path);

/// A file that a header names; hostile text.
struct BackingName {
  std::filesystem::path path;         ///< absolute, not canonical
  std::optional<std::string> format;  ///< as stored beside a plain name; qcow2 where the driver of a "json:" description is that
};

/// Files that the first 64 KiB of a qcow2 file name as its backing file: a plain path (relative to the image's folder),
/// "file:PATH", or every "filename" of a "json:" description. Empty for anything that is no qcow2 file or has none.
/// Opens with O_NOFOLLOW and reads; does not open the files named.
Result<std::vector<BackingName>> named_backing_files(const std::filesystem::path& image);
/// The same of a path that a header names. Errc::refused where it lies outside of `folders`, which are followed to where they lead:
/// then it is not opened.
Result<std::vector<BackingName>> named_backing_files(const std::filesystem::path& image, const std::vector<std::filesystem::path>& folders);

}  // namespace vmpatch::image
