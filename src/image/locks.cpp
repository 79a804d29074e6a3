#include "vmpatch/image/locks.hpp"

#include <fcntl.h>

#include <array>
#include <cerrno>

#include "image/open_file.hpp"
#include "image/other_users.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::image {
namespace {

// QEMU block/file-posix.c: RAW_LOCK_PERM_BASE, RAW_LOCK_SHARED_BASE; block-common.h: BLK_PERM_* bit numbers. QEMU takes
// *read* locks on 100 + bit for each permission that it uses and on 200 + bit for each that it does not share, and then
// asks whether a write lock on the opposite byte would conflict. Read locks never block each other, so both sides see
// each other whoever comes first.
constexpr off_t uses = 100;
constexpr off_t unshares = 200;
constexpr off_t consistent_read = 0;
constexpr off_t write_bit = 1;
constexpr off_t resize_bit = 3;
constexpr off_t all_bits = 4;

struct flock bytes(short type, off_t start, off_t length) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  return lock;
}

/// Somebody else's lock in the range? Locks of this very description do not count.
Result<Usage> probe_range(int fd, off_t start, off_t length, Usage when_locked) {
  struct flock lock = bytes(F_WRLCK, start, length);
  if (::fcntl(fd, F_OFD_GETLK, &lock) != 0) return errno_error(errno, "probe the image lock");
  return lock.l_type == F_UNLCK ? Usage::free : when_locked;
}

/// First finding of several ranges.
Result<Usage> probe_first(int fd, std::initializer_list<std::pair<off_t, off_t>> ranges, Usage when_locked) {
  for (const auto& [start, length] : ranges) {
    VMPATCH_TRY(const auto usage, probe_range(fd, start, length, when_locked));
    if (usage != Usage::free) return usage;
  }
  return Usage::free;
}

Result<Usage> probe_writers(int fd) {
  return probe_first(fd, {{uses + write_bit, 1}, {uses + resize_bit, 1}}, Usage::written);
}

Result<void> take(int fd, off_t byte, const fs::path& path) {
  struct flock lock = bytes(F_RDLCK, byte, 1);
  if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return {};
  if (errno == EAGAIN || errno == EACCES) {
    return fail(Errc::busy, "image {} is locked by another program; wait for it to end", shown(path));
  }
  return errno_error(errno, "lock image " + shown(path));
}

Result<UniqueFd> lock_layer(const Layer& layer, bool exclusive) {
  VMPATCH_TRY(UniqueFd fd, reopen_read_only(layer.fd.get(), layer.path));
  VMPATCH_CHECK(take(fd.get(), uses + consistent_read, layer.path));
  VMPATCH_CHECK(take(fd.get(), unshares + write_bit, layer.path));
  // Lock first, look then: of two that do so at once, at least one sees the other.
  VMPATCH_TRY(const auto writers, probe_writers(fd.get()));
  if (writers == Usage::written) {
    return fail(Errc::busy, "image {} is being written by another program (a running machine?); shut it down first",
                shown(layer.path));
  }
  VMPATCH_TRY(const auto unshared, probe_range(fd.get(), unshares + consistent_read, 1, Usage::written));
  if (unshared != Usage::free) {
    return fail(Errc::busy, "image {} is used by another program that allows no readers; wait for it to end",
                shown(layer.path));
  }
  if (!exclusive) return fd;
  // From here on QEMU opens nothing on top of it: a clone that starts would read a base that is being written.
  VMPATCH_CHECK(take(fd.get(), unshares + consistent_read, layer.path));
  VMPATCH_TRY(const auto readers, probe_first(fd.get(), {{uses, all_bits}, {unshares, all_bits}}, Usage::read));
  if (readers != Usage::free) {
    return fail(Errc::busy, "image {} is in use by another program (a machine on top of it, or another vm-patch); stop it first",
                shown(layer.path));
  }
  return fd;
}

}  // namespace

Result<Usage> probe_usage(int fd) {
  VMPATCH_TRY(const auto writers, probe_writers(fd));
  if (writers != Usage::free) return writers;
  return probe_first(fd, {{uses, all_bits}, {unshares, all_bits}}, Usage::read);
}

Result<void> mark_writer(int fd, const fs::path& path) { return take(fd, uses + write_bit, path); }

void ChainLock::unlock() {
  for (const Held& layer : held_) {
    struct flock all = bytes(F_UNLCK, 0, 0);
    // It can only fail on a descriptor that is none; closing follows anyway.
    static_cast<void>(::fcntl(layer.fd.get(), F_OFD_SETLK, &all));
  }
  held_.clear();
}

ChainLock::~ChainLock() { unlock(); }

Result<void> ChainLock::check_alone() const {
  for (const auto& [fd, claim, path, exclusive] : held_) {
    VMPATCH_TRY(const auto writers, probe_writers(fd.get()));
    if (writers != Usage::free) return fail(Errc::busy, "image {} is being written by another program; stop it first", shown(path));
    VMPATCH_CHECK(check_no_other_user(fd.get(), path, exclusive ? Access::any : Access::write));
    if (!exclusive) continue;
    VMPATCH_TRY(const auto readers, probe_first(fd.get(), {{uses, all_bits}, {unshares, all_bits}}, Usage::read));
    if (readers != Usage::free) return fail(Errc::busy, "image {} has got a reader; wait for it to end", shown(path));
  }
  return {};
}

ChainLock& ChainLock::operator=(ChainLock&& other) noexcept {
  if (this != &other) {
    unlock();
    held_ = std::move(other.held_);
  }
  return *this;
}

Result<ChainLock> ChainLock::acquire(const Chain& chain, Sharing top) {
  ChainLock lock;
  for (const Layer& layer : chain.layers()) {
    const bool exclusive = top == Sharing::nobody && &layer == &chain.top();
    VMPATCH_TRY(auto fd, lock_layer(layer, exclusive));
    UniqueFd claim;
    if (exclusive && layer.block_device) {
      VMPATCH_TRY(claim, claim_device(fd.get(), layer.path));
    }
    if (top == Sharing::nobody) VMPATCH_CHECK(check_no_other_user(fd.get(), layer.path, exclusive ? Access::any : Access::write));
    lock.held_.push_back({std::move(fd), std::move(claim), layer.path, exclusive});
  }
  return lock;
}

}  // namespace vmpatch::image
