#include "guest/direct/disk.hpp"

#include <libnbd.h>

#include <algorithm>
#include <cstring>

#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::direct {
namespace {

constexpr std::uint64_t chunk_size = 16U << 10U;
constexpr std::uint64_t max_window = 16;

}  // namespace

void Disk::Close::operator()(nbd_handle* handle) const { nbd_close(handle); }

Disk::Disk(const Connection& connection, const Deadline& deadline, std::size_t cache_bytes)
    : name_(escape_untrusted(connection.export_name)),
      deadline_(deadline),
      max_chunks_(std::max<std::size_t>(cache_bytes / chunk_size, 2 * max_window)) {}

Disk::~Disk() = default;

Error Disk::lost(std::string_view what) {
  const char* reason = nbd_get_error();
  Error error = fail(Errc::failed, "{} export {}: {}", what, name_,
                     escape_untrusted(reason == nullptr || *reason == '\0' ? "the server went away" : reason));
  nbd_.reset();
  return error;
}

Result<std::unique_ptr<Disk>> Disk::open(Connection connection, const Deadline& deadline, std::size_t cache_bytes) {
  std::unique_ptr<Disk> disk(new Disk(connection, deadline, cache_bytes));
  VMPATCH_CHECK(disk->handshake(std::move(connection)));
  return disk;
}

Result<void> Disk::handshake(Connection connection) {
  nbd_.reset(nbd_create());
  // libnbd owns the socket from here on.
  if (!nbd_ || nbd_set_export_name(nbd_.get(), connection.export_name.c_str()) != 0 ||
      nbd_aio_connect_socket(nbd_.get(), connection.socket.release()) != 0) {
    return lost("connect to");
  }
  while (nbd_aio_is_connecting(nbd_.get()) == 1) VMPATCH_CHECK(wait());
  if (nbd_aio_is_ready(nbd_.get()) != 1) return lost("connect to");
  const std::int64_t size = nbd_get_size(nbd_.get());
  if (size < 0) return lost("connect to");
  size_ = static_cast<std::uint64_t>(size);
  if (connection.size != 0 && size_ != connection.size) {
    return fail(Errc::failed, "export {} has {} bytes instead of {}", name_, size_, connection.size);
  }
  return {};
}

Result<void> Disk::wait() {
  const int remaining = deadline_.remaining_ms();
  const int events = remaining > 0 ? nbd_poll(nbd_.get(), remaining) : 0;
  if (events < 0) return lost("wait for");
  if (events == 0) {
    // The request still points at our buffer: only closing the connection takes it back.
    nbd_.reset();
    return fail(Errc::timeout, "export {} did not answer within {} s", name_, Deadline::limit.count());
  }
  return {};
}

Result<void> Disk::fetch(std::uint64_t offset, std::span<char> to) {
  VMPATCH_CHECK(deadline_.check());
  if (!nbd_) return fail(Errc::failed, "the connection to export {} was given up", name_);
  const std::int64_t cookie = nbd_aio_pread(nbd_.get(), to.data(), to.size(), offset, NBD_NULL_COMPLETION, 0);
  if (cookie < 0) return lost("read");
  for (;;) {
    const int done = nbd_aio_command_completed(nbd_.get(), static_cast<std::uint64_t>(cookie));
    if (done < 0) return lost("read");
    if (done > 0) return {};
    VMPATCH_CHECK(wait());
  }
}

Result<const Disk::Run*> Disk::run_with(std::uint64_t index, std::uint64_t last_wanted) {
  if (const auto found = chunks_.find(index); found != chunks_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second);
    return &recent_.front();
  }
  window_ = index == next_expected_ ? std::min(window_ * 2, max_window) : 1;
  const std::uint64_t all = (size_ + chunk_size - 1) / chunk_size;
  std::uint64_t count = std::min({std::max(window_, last_wanted - index + 1), max_window, all - index});
  for (std::uint64_t i = 1; i < count; ++i) {
    if (chunks_.contains(index + i)) count = i;
  }
  Run run{index, count, static_cast<std::size_t>(std::min(count * chunk_size, size_ - index * chunk_size)), {}};
  run.bytes = std::make_unique_for_overwrite<char[]>(run.size);
  VMPATCH_CHECK(fetch(index * chunk_size, std::span(run.bytes.get(), run.size)));
  next_expected_ = index + count;
  while (cached_ + count > max_chunks_) {
    const Run& oldest = recent_.back();
    for (std::uint64_t i = 0; i < oldest.count; ++i) chunks_.erase(oldest.first + i);
    cached_ -= oldest.count;
    recent_.pop_back();
  }
  recent_.push_front(std::move(run));
  cached_ += count;
  for (std::uint64_t i = 0; i < count; ++i) chunks_[index + i] = recent_.begin();
  return &recent_.front();
}

Result<void> Disk::read(std::uint64_t offset, std::span<char> to) {
  if (offset > size_ || to.size() > size_ - offset) {
    return fail(Errc::failed, "read of {} bytes at {} of export {} leaves the disk ({} bytes)", to.size(), offset,
                name_, size_);
  }
  if (to.empty()) return {};
  const std::uint64_t last = (offset + to.size() - 1) / chunk_size;
  while (!to.empty()) {
    // Also where all is cached: what a forged file system makes us read again and again has to end.
    VMPATCH_CHECK(deadline_.check());
    VMPATCH_TRY(const Run* run, run_with(offset / chunk_size, last));
    const std::size_t at = static_cast<std::size_t>(offset - run->first * chunk_size);
    const std::size_t length = std::min(to.size(), run->size - at);
    std::memcpy(to.data(), run->bytes.get() + at, length);
    offset += length;
    to = to.subspan(length);
  }
  return {};
}

Result<void> Volume::read(std::uint64_t at, std::span<char> to) const {
  if (at > length || to.size() > length - at) {
    return fail(Errc::failed, "read of {} bytes at {} leaves the partition ({} bytes)", to.size(), at, length);
  }
  return disk->read(offset + at, to);
}

ReadAt Volume::reader() const {
  return [volume = *this](std::uint64_t at, std::size_t wanted) -> Result<std::string> {
    std::string bytes(wanted, '\0');
    VMPATCH_CHECK(volume.read(at, bytes));
    return bytes;
  };
}

}  // namespace vmpatch::guest::direct
