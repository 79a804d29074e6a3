#pragma once
// What the disks of a machine hold: every partition and file system, the readable ones opened.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "guest/direct/ext_file_system.hpp"
#include "guest/direct/signatures.hpp"
#include "vmpatch/guest/disks.hpp"

namespace vmpatch::guest::direct {

/// One file system (or what else lies on a partition or a whole disk).
struct FoundVolume {
  FileSystem about;  ///< device is /dev/sdXN by the order of the disks
  Volume volume;
  Signature signature;
  std::unique_ptr<ExtFileSystem> fs;  ///< ext2/3/4 that can be read
  std::optional<Error> unreadable;    ///< why `fs` is empty, where something is recognised; names the device
};

struct Volumes {
  std::vector<std::unique_ptr<Disk>> disks;
  std::vector<FoundVolume> all;

  [[nodiscard]] bool hibernated() const;
  [[nodiscard]] std::vector<FileSystem> file_systems() const;
};

/// Errors: failed (no connection, broken partition table), timeout.
Result<Volumes> find_volumes(std::vector<Connection> connections, Deadline& deadline);

}  // namespace vmpatch::guest::direct
