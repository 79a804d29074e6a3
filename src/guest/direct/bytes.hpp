#pragma once
// Fields of on-disk structures, from bytes of any length: what lies outside reads as zero.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "vmpatch/core/result.hpp"

namespace vmpatch::guest::direct {

/// Gives exactly `length` bytes from `offset` of a disk or partition, or an error. Callers stay inside its size.
using ReadAt = std::function<Result<std::string>(std::uint64_t offset, std::size_t length)>;

template <class T>
[[nodiscard]] T read_le(std::string_view bytes, std::size_t offset) {
  std::uint64_t value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) {
    const unsigned char byte = offset + i < bytes.size() ? static_cast<unsigned char>(bytes[offset + i]) : 0;
    value = (value << 8U) | byte;
  }
  return static_cast<T>(value);
}

/// At most `length` bytes at `offset`; shorter or empty at the end.
[[nodiscard]] inline std::string_view slice(std::string_view bytes, std::size_t offset, std::size_t length) {
  return offset < bytes.size() ? bytes.substr(offset, length) : std::string_view();
}

[[nodiscard]] inline bool has_magic(std::string_view bytes, std::size_t offset, std::string_view magic) {
  return slice(bytes, offset, magic.size()) == magic;
}

}  // namespace vmpatch::guest::direct
