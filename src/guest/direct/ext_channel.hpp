#pragma once
// libext2fs reads a Volume through this io_manager. Nothing can be written through it.

#include <ext2fs/ext2fs.h>

#include <optional>

#include "guest/direct/disk.hpp"

namespace vmpatch::guest::direct {

struct ChannelSource {
  Volume volume;
  std::optional<Error> error;  ///< why the last read failed; libext2fs only passes a number on
};

/// ext2fs_open2() on `source`, which has to outlive the handle: libext2fs knows channels by name only.
errcode_t open_filesystem(ChannelSource& source, int flags, ext2_filsys* handle);

}  // namespace vmpatch::guest::direct
