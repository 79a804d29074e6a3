#pragma once
// Opens a disk image once, screens every layer, and keeps the descriptors. The only place that opens a disk by path.

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/core/unique_fd.hpp"
#include "vmpatch/image/header.hpp"
#include "vmpatch/image/identity.hpp"

namespace vmpatch::image {

namespace fs = std::filesystem;

/// What a chain may consist of.
struct OpenPolicy {
  /// Folders in which backing files may lie (canonical); the image's own folder is always allowed.
  std::vector<fs::path> allowed_dirs;
  /// Backing files that libvirt's XML names explicitly (<backingStore>), nearest first; when set the headers must agree.
  std::optional<std::vector<std::pair<fs::path, Format>>> configured;
  std::uint64_t max_virtual_size = 64ULL << 40U;  ///< bytes
  std::size_t max_layers = 32;
  /// Id of an internal snapshot of the top layer: the chain then shows the disk as it was, and cannot be written.
  std::optional<std::string> snapshot;
};

struct Layer {
  fs::path path;  ///< canonical
  Format format = Format::raw;
  UniqueFd fd;    ///< O_RDONLY | O_NOFOLLOW
  std::uint64_t file_size = 0;
  std::uint64_t virtual_size = 0;
  bool block_device = false;
  std::optional<Qcow2Header> header;  ///< qcow2 only
  /// A qcow2 file in memory, to be laid over the bytes of this file: with it they are the image of one of its snapshots.
  UniqueFd snapshot_view;
};

/// layers()[0] is the file that the machine writes; the last one has no backing file.
class Chain {
 public:
  /// Errors: not_found (also: no such snapshot); refused (screen, foreign backing, loop, symlink, not a regular file or block device, missing
  /// backing format); failed (I/O). Every message names the layer's path.
  static Result<Chain> open(const fs::path& image, Format format, const OpenPolicy& policy);

  [[nodiscard]] const std::vector<Layer>& layers() const { return layers_; }
  [[nodiscard]] const Layer& top() const { return layers_.front(); }
  [[nodiscard]] std::uint64_t virtual_size() const { return layers_.front().virtual_size; }
  /// Identity as the files are now (same descriptors, fresh statx).
  [[nodiscard]] Result<DiskIdentity> identity() const;
  /// Opens the top layer once more for writing, and checks that path and descriptor still are one inode.
  /// The description is marked as a writer (locks.hpp).
  [[nodiscard]] Result<UniqueFd> open_top_writable() const;

 private:
  std::vector<Layer> layers_;
};

/// Internal qcow2 snapshots of one layer (names are hostile text), bounded to 65,536 entries and 16 MiB of table.
struct InternalSnapshot {
  std::string id;
  std::string name;
  std::chrono::seconds taken{0};    ///< since the epoch, as the image says
  std::uint64_t vm_state_size = 0;  ///< bytes; > 0 means that memory was saved inside the image
  std::optional<std::uint64_t> virtual_size;  ///< bytes; none: as large as the disk is now
  std::uint64_t l1_offset = 0;      ///< bytes; not screened
  std::uint32_t l1_entries = 0;
};
Result<std::vector<InternalSnapshot>> internal_snapshots(const Layer& layer);

}  // namespace vmpatch::image
