#pragma once
// QEMU's own image locks (block/file-posix.c): open-file-description locks at byte 100 + permission and 200 + "does not
// share". Held on every layer of a machine while a run works on it, so that QEMU refuses to start the machine.

#include <vector>

#include "vmpatch/core/unique_fd.hpp"
#include "vmpatch/image/chain.hpp"

namespace vmpatch::image {

/// Who uses an image now, from a lock probe (F_OFD_GETLK) that changes nothing.
enum class Usage { free, read, written };
Result<Usage> probe_usage(int fd);

/// Who else may use the top layer: `readers` for looking at a machine, `nobody` for a run that will write it (a running
/// machine on top of it, or another ChainLock, is then Errc::busy, and QEMU cannot open an overlay on it meanwhile).
enum class Sharing { readers, nobody };

/// Byte 101 (write) on the description itself: it is locked as long as any process has it open, so that a QEMU which
/// outlives its killed parent for a moment is still seen as a writer.
Result<void> mark_writer(int fd, const fs::path& path);

class ChainLock {
 public:
  /// Locks bytes 100 (consistent read) and 201 (unshare write) for reading on own descriptions of every layer, and 200 (unshare
  /// consistent read) on the top one for `nobody`. For `nobody`, too: a block device is claimed, so that the host cannot mount it or map it,
  /// and must not be open by another node (libvirt's QEMUs have a /dev of their own, which these locks do not reach); a regular file
  /// must not be attached as a loop device. Errc::busy, with the way out.
  /// A running QEMU that writes the top layer: Errc::busy naming the layer. Backing layers may be read by others.
  static Result<ChainLock> acquire(const Chain& chain, Sharing top = Sharing::readers);
  /// Looks again: Errc::busy when a program that heeds these locks only in part, or not at all, has come meanwhile.
  [[nodiscard]] Result<void> check_alone() const;
  ChainLock(ChainLock&&) = default;
  ChainLock& operator=(ChainLock&& other) noexcept;
  /// Unlocks, also where a child that another thread is just starting still holds a copy of the descriptors.
  ~ChainLock();

 private:
  ChainLock() = default;
  void unlock();
  struct Held {
    UniqueFd fd;
    UniqueFd claim;  ///< of a block device that will be written
    fs::path path;
    bool exclusive = false;
  };
  std::vector<Held> held_;
};

}  // namespace vmpatch::image
