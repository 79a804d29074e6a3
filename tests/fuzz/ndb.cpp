// rpm's ndb: no crash, and headers that lie in the file.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "guest/rpm/ndb.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view database(reinterpret_cast<const char*>(data), size);
  std::size_t bytes = 0;
  const auto read = vmpatch::guest::rpm::for_each_ndb_header(database, [&](std::string_view header) -> vmpatch::Result<void> {
    for (const char c : header) bytes += static_cast<unsigned char>(c);
    if (!header.empty() && (header.data() < database.data() || header.data() + header.size() > database.data() + size)) std::abort();
    return {};
  });
  if (!read && read.error().message.empty()) std::abort();
  return bytes == SIZE_MAX ? 1 : 0;
}
