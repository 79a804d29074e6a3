#include "fetch/part.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "fetch/file_url.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/interruption.hpp"

namespace vmpatch::fetch {
namespace {

fs::path part_path(const fs::path& folder, const Expected& expected) { return folder / (expected.sha256.hex() + ".part"); }

bool is_same_file(const struct stat& one, const struct stat& other) { return one.st_dev == other.st_dev && one.st_ino == other.st_ino; }

Result<void> check_ours(const struct stat& info, const fs::path& path) {
  if (S_ISREG(info.st_mode) && info.st_nlink <= 1 && info.st_uid == ::geteuid()) return {};
  return fail(Errc::refused, "{} is no file that vm-patch made; remove it", path.string());
}

/// Nothing when the name has become another file's, or nobody's, before the lock was ours.
Result<UniqueFd> try_lock(const fs::path& path) {
  struct stat held {}, named {};
  if (::lstat(path.c_str(), &named) == 0) VMPATCH_CHECK(check_ours(named, path));
  VMPATCH_TRY(UniqueFd fd, lock_file(path));
  if (::fstat(fd.get(), &held) != 0) return errno_error(errno, "look at " + path.string());
  VMPATCH_CHECK(check_ours(held, path));
  if (::lstat(path.c_str(), &named) != 0 || !is_same_file(held, named)) return UniqueFd();
  return fd;
}

Result<void> write_at(int fd, std::uint64_t at, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno_error(errno, "cannot store it");
    bytes.remove_prefix(static_cast<std::size_t>(put));
    at += static_cast<std::uint64_t>(put);
  }
  return {};
}

}  // namespace

Result<UniqueFd> open_whole(const fs::path& folder, const Expected& expected, Log& log) {
  const fs::path path = folder / expected.sha256.hex();
  auto file = open_local(path);
  if (!file && file.error().code == Errc::not_found) return UniqueFd();
  if (!file) return file.error();
  struct stat info {};
  if (::fstat(file->fd.get(), &info) != 0) return errno_error(errno, "look at " + path.string());
  if (static_cast<std::uint64_t>(info.st_size) == expected.size) {
    VMPATCH_TRY(const Digest digest, sha256_fd(file->fd.get(), expected.size));
    if (digest == expected.sha256) return std::move(file->fd);
  }
  log.warn("{} does not hold what its name says; it is fetched again", path.string());
  return UniqueFd();
}

fs::path Part::path() const { return part_path(folder_, expected_); }

Result<Part> Part::lock(const fs::path& folder, const Expected& expected, Log& log) {
  const fs::path path = part_path(folder, expected);
  for (bool told = false;;) {
    auto fd = try_lock(path);
    if (fd && !*fd) continue;
    if (fd) {
      Part part(folder, expected, std::move(*fd));
      VMPATCH_CHECK(part.hash_old(log));
      return part;
    }
    if (fd.error().code != Errc::busy) return fd.error();
    if (!told) log.info("{}: another vm-patch fetches it; waiting for that", path.string());
    told = true;
    VMPATCH_CHECK(check_interruption());
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

Result<void> Part::hash_old(Log& log) {
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0) return errno_error(errno, "look at " + path().string());
  if (info.st_size == 0) return {};
  const auto hash = [&](std::uint64_t at, std::string_view bytes) -> Result<void> {
    if (at + bytes.size() > expected_.size) return make_error(Errc::untrusted, "it is longer than the whole");
    hash_.update(bytes);
    size_ = at + bytes.size();
    return check_interruption();
  };
  const LocalFile old{UniqueFd(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0)), {}};
  if (!old.fd) return errno_error(errno, path().string());
  auto hashed = give_content(old, 0, hash);
  old_ = true;
  // With all bytes there, none is left to ask for.
  if (hashed && size_ == expected_.size) hashed = check();
  if (hashed || hashed.error().code != Errc::untrusted) return hashed;
  log.warn("{}: {}; it is fetched from the start", path().string(), hashed.error().message);
  return clear();
}

Result<void> Part::take(std::uint64_t at, std::string_view bytes) {
  if (at == 0 && size_ > 0) VMPATCH_CHECK(clear());
  if (at != size_) return fail(Errc::failed, "bytes from {} do not follow on {}", at, size_);
  if (bytes.size() > expected_.size - size_) {
    return fail(Errc::untrusted, "it is longer than the {} bytes with the SHA-256 {} that are expected", expected_.size, expected_.sha256.hex());
  }
  VMPATCH_CHECK(write_at(fd_.get(), at, bytes));
  hash_.update(bytes);
  size_ += bytes.size();
  return {};
}

Result<void> Part::check() {
  const Digest digest = hash_.finish();
  if (size_ == expected_.size && digest == expected_.sha256) return {};
  return fail(Errc::untrusted, "{} bytes with the SHA-256 {} came, not {} bytes with {}", size_, digest.hex(), expected_.size, expected_.sha256.hex());
}

Result<void> Part::clear() {
  if (::ftruncate(fd_.get(), 0) != 0) return errno_error(errno, "empty " + path().string());
  hash_ = Sha256();
  size_ = 0;
  old_ = false;
  return {};
}

Result<void> Part::remove() {
  if (::unlink(path().c_str()) != 0) return errno_error(errno, "remove " + path().string());
  return {};
}

Result<UniqueFd> Part::finish() {
  const fs::path whole = folder_ / expected_.sha256.hex();
  // Our descriptor may write, and holds the lock.
  UniqueFd reader(::open(fmt::format("/proc/self/fd/{}", fd_.get()).c_str(), O_RDONLY | O_CLOEXEC));
  if (!reader || ::fchmod(fd_.get(), 0644) != 0 || ::fsync(fd_.get()) != 0) return errno_error(errno, "finish " + path().string());
  if (::rename(path().c_str(), whole.c_str()) != 0) return errno_error(errno, "make " + whole.string());
  VMPATCH_CHECK(fsync_new_entry(folder_));
  return reader;
}

}  // namespace vmpatch::fetch
