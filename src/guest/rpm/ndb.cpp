#include "guest/rpm/ndb.hpp"

#include <algorithm>
#include <cstdint>

#include "vmpatch/core/format.hpp"

namespace vmpatch::guest::rpm {
namespace {

constexpr std::size_t head_size = 32;
constexpr std::size_t slot_size = 16;
constexpr std::size_t page_size = 4096;
constexpr std::size_t block_size = 16;
constexpr std::size_t blob_head = 16;
constexpr std::size_t blob_tail = 12;
constexpr std::size_t max_packages = 50'000;

std::uint32_t word(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value |= std::uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  return value;
}

/// RFC 1950.
std::uint32_t adler32(std::string_view bytes) {
  constexpr std::uint32_t modulus = 65521;
  constexpr std::size_t safe = 5552;  // sums of so many bytes fit 32 bits
  std::uint32_t a = 1;
  std::uint32_t b = 0;
  while (!bytes.empty()) {
    for (const char c : bytes.substr(0, safe)) {
      a += static_cast<unsigned char>(c);
      b += a;
    }
    a %= modulus;
    b %= modulus;
    bytes.remove_prefix(std::min(safe, bytes.size()));
  }
  return (b << 16U) | a;
}

Result<std::string_view> header_of(std::string_view blob, std::uint32_t number) {
  const std::size_t end = blob.size() - blob_tail;
  const std::uint64_t length = word(blob, 12);
  const std::uint64_t needed = (blob_head + length + blob_tail + block_size - 1) / block_size * block_size;
  if (blob.substr(0, 4) != "BlbS" || blob.substr(end + 8) != "BlbE" || word(blob, 4) != number || needed != blob.size() ||
      word(blob, end + 4) != length || word(blob, end) != adler32(blob.substr(0, end))) {
    return fail(Errc::failed, "package number {} is damaged", number);
  }
  return blob.substr(blob_head, static_cast<std::size_t>(length));
}

}  // namespace

Result<void> for_each_ndb_header(std::string_view database, const std::function<Result<void>(std::string_view)>& each) {
  if (database.size() < page_size || database.substr(0, 4) != "RpmP") return fail(Errc::failed, "not an ndb database");
  if (word(database, 4) != 0) return fail(Errc::failed, "version {} of ndb is not known", word(database, 4));
  const std::uint64_t slots_end = std::uint64_t{word(database, 12)} * page_size;
  if (slots_end < page_size || slots_end > database.size()) return fail(Errc::failed, "its pages of slots are cut off");
  std::size_t packages = 0;
  for (std::size_t at = head_size; at < slots_end; at += slot_size) {
    if (database.substr(at, 4) != "Slot") return fail(Errc::failed, "the slot at byte {} is damaged", at);
    const std::uint32_t number = word(database, at + 4);
    const std::uint64_t begin = std::uint64_t{word(database, at + 8)} * block_size;
    const std::uint64_t size = std::uint64_t{word(database, at + 12)} * block_size;
    if (begin == 0) continue;
    if (number == 0 || begin < slots_end || size < blob_head + blob_tail || begin + size > database.size()) {
      return fail(Errc::failed, "the slot at byte {} leads outside of the file", at);
    }
    if (++packages > max_packages) return fail(Errc::failed, "more than {} packages", max_packages);
    VMPATCH_TRY(const std::string_view header,
                header_of(database.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(size)), number));
    VMPATCH_CHECK(each(header));
  }
  return {};
}

}  // namespace vmpatch::guest::rpm
