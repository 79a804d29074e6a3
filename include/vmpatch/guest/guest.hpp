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

/// Bytes, or a file of the mounted payload disk by its name.
struct FileContent {
  std::string bytes;
  std::string payload;  ///< "" = bytes
};

/// What is not said stays as the file had it, but of a mode only 0755 where it gets another owner; of a new one it is 0644 root:root.
struct FileAttributes {
  std::optional<unsigned> mode;  ///< permission bits with set-uid etc. (07777)
  std::optional<std::uint32_t> uid, gid;
};

/// What a patch needs. Exists only on an appliance. Every call that changes a path walks it as find_place() says: a link that others than
/// root control is refused, and no call changes what a link as the last name leads to. /run is memory here: what is written below it
/// never reaches a disk.
class WritableGuest : public Guest {
 public:
  /// A regular file in the place of whatever lies there but a folder. It is made under a name that nobody can foretell, and renamed when
  /// it is whole. Labels, ACLs and the like stay (with another owner only the label), but for what signs the old content (security.ima, security.evm).
  virtual Result<void> put_file(const std::string& path, const FileContent& content, const FileAttributes& attributes) = 0;
  Result<void> write(const std::string& path, const std::string& content) { return put_file(path, {content, {}}, {}); }
  virtual Result<void> make_dirs(const std::string& path) = 0;  ///< those that are missing are 0755 root:root
  /// File, symlink or tree; missing is success. What is left afterwards is failed.
  virtual Result<void> remove(const std::string& path) = 0;
  virtual Result<void> symlink(const std::string& target, const std::string& path) = 0;  ///< replaces
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> chmod(const std::string& path, unsigned mode) = 0;  ///< of a link: failed
  virtual Result<void> chown(const std::string& path, std::uint32_t uid, std::uint32_t gid) = 0;
  /// Unpacks a tar file (any compression libarchive-free: plain tar) that lies on the payload disk into `dir`. `members` are the names
  /// in it: none may lie behind a link that others than root control, and files that are replaced keep their extended attributes as in put_file().
  virtual Result<void> unpack_tar(const std::string& payload_name, const std::string& dir, const std::vector<std::string>& members) = 0;
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
