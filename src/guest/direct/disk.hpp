#pragma once
// One exported disk over libnbd, with a cache of its recently read chunks and read-ahead: round trips cost more than
// bytes.

#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>

#include "guest/direct/bytes.hpp"
#include "guest/direct/deadline.hpp"
#include "guest/direct/direct.hpp"

struct nbd_handle;

namespace vmpatch::guest::direct {

/// Bytes of one disk.
class BlockSource {
 public:
  virtual ~BlockSource() = default;
  /// Fills `to`. Outside the disk: failed.
  virtual Result<void> read(std::uint64_t offset, std::span<char> to) = 0;
};

class Disk final : public BlockSource {
 public:
  /// `deadline` outlives the disk and bounds every wait for the server.
  static Result<std::unique_ptr<Disk>> open(Connection connection, const Deadline& deadline, std::size_t cache_bytes);
  ~Disk() override;
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// A server that does not answer in time: timeout, and the disk is lost.
  Result<void> read(std::uint64_t offset, std::span<char> to) override;

 private:
  struct Close {
    void operator()(nbd_handle* handle) const;
  };
  /// What one request brought: some chunks in a row.
  struct Run {
    std::uint64_t first;  ///< chunk
    std::uint64_t count;  ///< chunks
    std::size_t size;     ///< bytes; less than `count` chunks at the end of the disk
    std::unique_ptr<char[]> bytes;
  };

  Disk(const Connection& connection, const Deadline& deadline, std::size_t cache_bytes);
  Result<void> handshake(Connection connection);
  Result<void> wait();
  Result<const Run*> run_with(std::uint64_t index, std::uint64_t last_wanted);
  Result<void> fetch(std::uint64_t offset, std::span<char> to);
  Error lost(std::string_view what);

  std::unique_ptr<nbd_handle, Close> nbd_;
  std::string name_;
  const Deadline& deadline_;
  std::uint64_t size_ = 0;
  std::size_t max_chunks_;
  std::size_t cached_ = 0;  ///< chunks
  std::list<Run> recent_;   ///< most recently used first
  std::unordered_map<std::uint64_t, std::list<Run>::iterator> chunks_;
  std::uint64_t next_expected_ = 0;
  std::uint64_t window_ = 1;  ///< chunks a request; grows while reading goes straight on
};

/// A disk or a partition of it.
struct Volume {
  BlockSource* disk = nullptr;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;

  Result<void> read(std::uint64_t at, std::span<char> to) const;
  [[nodiscard]] ReadAt reader() const;
};

}  // namespace vmpatch::guest::direct
