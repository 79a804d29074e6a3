#pragma once
// Where a feed's bytes come from: a file, an archive's entry, memory.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "vmpatch/core/result.hpp"

namespace vmpatch::advisory {

class ByteSource {
 public:
  ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  virtual ~ByteSource() = default;
  /// At most `size` bytes; 0 = the end.
  virtual Result<std::size_t> read(char* to, std::size_t size) = 0;
};

/// From the descriptor's offset 0; more than `max_bytes` is an error. `fd` must stay open.
class FileSource final : public ByteSource {
 public:
  FileSource(int fd, std::uint64_t max_bytes) : fd_(fd), max_bytes_(max_bytes) {}
  Result<std::size_t> read(char* to, std::size_t size) override;

 private:
  int fd_;
  std::uint64_t max_bytes_;
  std::uint64_t offset_ = 0;
};

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::string_view bytes) : rest_(bytes) {}
  Result<std::size_t> read(char* to, std::size_t size) override;

 private:
  std::string_view rest_;
};

}  // namespace vmpatch::advisory
