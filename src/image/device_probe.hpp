#pragma once
// Block devices have no time of change that could be believed (udev touches their nodes whenever it looks). So the places are
// compared that every mount for writing changes.

#include <cstdint>
#include <filesystem>

#include "vmpatch/core/digest.hpp"

namespace vmpatch::image {

/// SHA-256 over the partition table and the superblocks (ext, XFS, btrfs) at the start of the disk and of up to 16 partitions:
/// some 200 KiB at most. Not the content: what is written beneath a file system without mounting it stays unseen.
Result<Digest> probe_device(int fd, std::uint64_t size, const std::filesystem::path& path);

}  // namespace vmpatch::image
