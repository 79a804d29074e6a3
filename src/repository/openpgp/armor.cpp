#include "repository/openpgp/armor.hpp"

#include <cstdint>

#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::repository::openpgp {
namespace {

constexpr std::string_view head = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
constexpr std::string_view tail = "-----END PGP PUBLIC KEY BLOCK-----";

/// CRC-24 of RFC 4880, section 6.1.
std::string crc24(std::string_view bytes) {
  std::uint32_t crc = 0xB704CE;
  for (const char byte : bytes) {
    crc ^= static_cast<std::uint32_t>(static_cast<unsigned char>(byte)) << 16U;
    for (int bit = 0; bit < 8; ++bit) {
      crc <<= 1U;
      if ((crc & 0x1000000U) != 0) crc ^= 0x1864CFBU;
    }
  }
  return {static_cast<char>(crc >> 16U), static_cast<char>(crc >> 8U), static_cast<char>(crc)};
}

/// Lines between head and tail: headers up to an empty line, base64, "=" and the checksum.
Result<std::string> decode_block(std::string_view block) {
  std::string encoded, checksum;
  bool in_headers = true;
  for (const auto raw : split(block, '\n')) {
    const auto line = trim(raw);
    if (in_headers) {
      in_headers = !line.empty() || raw.data() == block.data();
      continue;
    }
    if (line.starts_with('=')) {
      checksum = line.substr(1);
    } else {
      encoded += line;
    }
  }
  VMPATCH_TRY(std::string bytes, from_base64(encoded));
  if (!checksum.empty()) {
    VMPATCH_TRY(const std::string expected, from_base64(checksum));
    if (expected != crc24(bytes)) return fail(Errc::failed, "its checksum does not match");
  }
  if (bytes.empty()) return fail(Errc::failed, "it is empty");
  return bytes;
}

/// Where the next block begins; at the start of a line, for a name inside of a binary key may look like one.
std::size_t find_head(std::string_view content, std::size_t from) {
  auto at = content.find(head, from);
  while (at != std::string_view::npos && at != 0 && content[at - 1] != '\n') at = content.find(head, at + 1);
  return at;
}

/// The first byte of a packet has its highest bit set; a keybox has "KBXf" at 8.
bool is_binary(std::string_view content) {
  return (static_cast<unsigned char>(content.front()) & 0x80U) != 0 || (content.size() >= 12 && content.substr(8, 4) == "KBXf");
}

}  // namespace

Result<std::string> binary_keyring(std::string_view content, std::string_view name) {
  if (content.empty()) return fail(Errc::failed, "keyring {} is empty", name);
  auto begin = find_head(content, 0);
  if (begin == std::string_view::npos) {
    if (!is_binary(content)) return fail(Errc::failed, "keyring {} holds no OpenPGP public key; export it with gpg --export", name);
    return std::string(content);
  }
  std::string all;
  for (; begin != std::string_view::npos; begin = find_head(content, begin)) {
    begin += head.size();
    const auto end = content.find(tail, begin);
    if (end == std::string_view::npos) return fail(Errc::failed, "keyring {} ends in the middle of a key", name);
    auto block = decode_block(content.substr(begin, end - begin));
    if (!block) return fail(Errc::failed, "keyring {} has a damaged key: {}", name, block.error().message);
    all += *block;
    begin = end;
  }
  return all;
}

}  // namespace vmpatch::repository::openpgp
