#pragma once
// One ext2/3/4 file system, by inode, read-only. Paths are the tree's business.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guest/direct/disk.hpp"
#include "vmpatch/guest/guest.hpp"

namespace vmpatch::guest::direct {

using InodeNumber = std::uint32_t;

struct ExtEntry {
  std::string name;
  InodeNumber inode = 0;
  FileKind kind = FileKind::unknown;  ///< as the directory says it; unknown on old file systems
};

/// Errors of all: failed (damaged), unsupported (encrypted or casefold), timeout.
class ExtFileSystem {
 public:
  static constexpr InodeNumber root = 2;
  static constexpr std::size_t max_entries = 250'000;
  static constexpr std::size_t max_name_bytes = 32U << 20U;  ///< of one directory
  static constexpr std::size_t max_link = 4095;

  /// After check_ext_superblock(). `volume` and `deadline` outlive it.
  static Result<std::unique_ptr<ExtFileSystem>> open(const Volume& volume, Deadline& deadline);
  ~ExtFileSystem();
  ExtFileSystem(const ExtFileSystem&) = delete;
  ExtFileSystem& operator=(const ExtFileSystem&) = delete;

  Result<FileStat> stat(InodeNumber inode);
  /// Without "." and "..", in the order of the disk.
  Result<std::vector<ExtEntry>> entries(InodeNumber directory);
  /// The inode of `name` in the directory; nullopt where there is no such name. Failed where there are two: the kernel of the guest may
  /// find the other one, by the hash of the name.
  Result<std::optional<InodeNumber>> find(InodeNumber directory, std::string_view name);
  static Error name_twice(InodeNumber directory, std::string_view name);
  Result<std::string> link_target(InodeNumber inode);
  /// Gives the content piece by piece until its end or until `sink` returns false.
  Result<void> content(InodeNumber inode, const std::function<bool(std::string_view)>& sink);
  /// At most `length` bytes from `offset` on.
  Result<std::string> range(InodeNumber inode, std::uint64_t offset, std::uint64_t length);

 private:
  struct State;
  explicit ExtFileSystem(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace vmpatch::guest::direct
