#pragma once
// Big-endian fields of image formats. Readers take the bytes that the caller has bounds-checked.

#include <cstdint>
#include <string>
#include <string_view>

namespace vmpatch::image {

template <class T>
[[nodiscard]] T read_be(std::string_view bytes, std::size_t offset) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = (value << 8U) | static_cast<unsigned char>(bytes[offset + i]);
  return static_cast<T>(value);
}

/// Overwrites sizeof(T) bytes at `offset`; the string must be long enough.
template <class T>
void write_be(std::string& bytes, std::size_t offset, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes[offset + i] = static_cast<char>((static_cast<std::uint64_t>(value) >> (8U * (sizeof(T) - 1 - i))) & 0xffU);
  }
}

}  // namespace vmpatch::image
