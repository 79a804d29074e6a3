#include "vmpatch/core/uuid.hpp"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "vmpatch/core/digest.hpp"

namespace vmpatch {
namespace {

using Bytes = std::array<std::uint8_t, 16>;

std::string format_uuid(Bytes bytes, unsigned version) {
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0FU) | (version << 4U));
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3FU) | 0x80U);
  std::string raw(bytes.begin(), bytes.end());
  std::string text = to_hex(raw);
  for (std::size_t at : {8U, 13U, 18U, 23U}) text.insert(at, 1, '-');
  return text;
}

}  // namespace

std::string random_uuid() {
  Bytes bytes{};
  // Up to 256 bytes come whole once the pool is ready; before that, only a signal interrupts.
  while (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    if (errno != EINTR) std::abort();  // no random numbers: nothing that follows could be right
  }
  return format_uuid(bytes, 4);
}

std::string named_uuid(std::string_view name) {
  std::string input("vm-patch\0", 9);
  input += name;
  const Digest digest = sha256(input);
  Bytes bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = digest.bytes[i];
  return format_uuid(bytes, 8);
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

}  // namespace vmpatch
