#pragma once
// The Guest port: the file systems of one guest, joined by its mount table, seen from its root. Paths are absolute in the
// guest; symlinks are resolved inside the guest's root and never outside. Everything that comes back is hostile input.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::guest {

enum class FileKind { regular, directory, symlink, character, block, fifo, socket, unknown };

struct FileStat {
  FileKind kind = FileKind::unknown;
  unsigned mode = 0;  ///< permission bits with set-uid etc. (07777)
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;       ///< bytes
  std::int64_t mtime = 0;       ///< seconds since the epoch
  bool operator==(const FileStat&) const = default;
};

struct DirEntry {
  std::string name;  ///< raw bytes
  FileKind kind = FileKind::unknown;
};

/// Read-only view. Errors: not_found; unsupported (this adapter cannot; another may); failed; timeout.
class Guest {
 public:
  virtual ~Guest() = default;
  /// Content of a regular file, following symlinks. Larger than `max_bytes` is failed.
  virtual Result<std::string> read(const std::string& path, std::uint64_t max_bytes) = 0;
  /// Part of a regular file, following symlinks: at most `length` bytes (no more than max_range) from `offset` on; less where the
  /// file ends, nothing behind its end.
  static constexpr std::uint64_t max_range = 16U << 20U;
  virtual Result<std::string> read_range(const std::string& path, std::uint64_t offset, std::uint64_t length) = 0;
  virtual Result<FileStat> stat(const std::string& path) = 0;   ///< follows symlinks
  virtual Result<FileStat> lstat(const std::string& path) = 0;  ///< does not follow the last one
  virtual Result<std::string> readlink(const std::string& path) = 0;
  /// Without "." and "..", sorted by name, at most 1,000,000 entries.
  virtual Result<std::vector<DirEntry>> list(const std::string& dir) = 0;
  /// SHA-256 of regular files, following symlinks; nullopt where there is no such regular file. Same order as asked.
  virtual Result<std::vector<std::optional<Digest>>> digests(const std::vector<std::string>& paths) = 0;
  /// Augeas value of the one node below /files<path>, e.g. ("/etc/ssh/sshd_config", "sshd", "PermitRootLogin"): "" for a node
  /// without a value, nothing when there is none; several, an unknown lens, or content that it cannot read are failed.
  virtual Result<std::optional<std::string>> augeas_get(const std::string& path, const std::string& lens,
                                                        const std::string& node) = 0;
  /// "direct" or "appliance", and the reason of the choice for inspect -v.
  [[nodiscard]] virtual std::string access() const = 0;
  /// A swap device or swap file of the guest holds a hibernated system: its disks must not be written.
  [[nodiscard]] virtual bool hibernated() const { return false; }
  /// Orderly end (unmount, shut down); an error means that writes may be lost. The destructor only aborts.
  virtual Result<void> finish() = 0;
};

struct CommandResult {
  int exit_code = -1;
  std::string output;  ///< stdout and stderr together, at most 4 MiB, the end is kept
  bool truncated = false;
};

/// What a patch needs. Exists only on an appliance.
class WritableGuest : public Guest {
 public:
  virtual Result<void> write(const std::string& path, const std::string& content) = 0;  ///< creates with 0644 root
  virtual Result<void> make_dirs(const std::string& path) = 0;
  virtual Result<void> remove(const std::string& path) = 0;  ///< file, symlink or tree; missing is success
  virtual Result<void> symlink(const std::string& target, const std::string& path) = 0;  ///< replaces
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> chmod(const std::string& path, unsigned mode) = 0;
  virtual Result<void> chown(const std::string& path, std::uint32_t uid, std::uint32_t gid) = 0;
  /// Unpacks a tar file (any compression libarchive-free: plain tar) that lies on the payload disk into `dir`.
  virtual Result<void> unpack_tar(const std::string& payload_name, const std::string& dir) = 0;
  /// Sets and removes nodes below /files<path> with one lens, saves, and reports Augeas's own error message.
  virtual Result<void> augeas_edit(const std::string& path, const std::string& lens,
                                   const std::map<std::string, std::string>& set,
                                   const std::vector<std::string>& remove) = 0;
  /// Runs a program of the guest in its root, without network, LANG=C.UTF-8, PATH of root; argv[0] absolute or in PATH.
  virtual Result<CommandResult> command(const std::vector<std::string>& argv,
                                        const std::map<std::string, std::string>& env, Seconds timeout) = 0;
  /// Where the payload disk is mounted in the guest (read-only) while it is open: a folder with files by payload name.
  virtual Result<std::string> mount_payloads() = 0;
  virtual Result<void> unmount_payloads() = 0;  ///< takes the mount point away too
  /// fsck -n (e2fsck -fn, xfs_repair -n …) of every file system of the guest, which must be unmounted for it: called
  /// on a guest opened read-only for verification. Output of the first that is not clean.
  virtual Result<void> check_file_systems() = 0;
  /// Free bytes of the file system that holds `path`.
  virtual Result<std::uint64_t> free_space(const std::string& path) = 0;
};

}  // namespace vmpatch::guest
