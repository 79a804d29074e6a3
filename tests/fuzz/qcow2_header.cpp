// The header screen on arbitrary bytes: it never crashes, and what it lets pass keeps the promises of header.hpp.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "vmpatch/image/header.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vmpatch::image;
  constexpr std::uint64_t limit = 64ULL << 40U;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // The file may be larger than what was read of it.
  for (const std::uint64_t file_size : {std::uint64_t{size}, std::uint64_t{size} + (8U << 20U)}) {
    const auto header = parse_qcow2_header(bytes, file_size, limit);
    if (!header) {
      require(header.error().code == vmpatch::Errc::refused && !header.error().message.empty());
      continue;
    }
    require(header->version == 2 || header->version == 3);
    require(header->cluster_bits >= 9 && header->cluster_bits <= 21);
    require(header->virtual_size > 0 && header->virtual_size <= limit);
    require((header->incompatible_features & ~0x18ULL) == 0);
    require(header->snapshot_count == 0 || header->snapshots_offset < file_size);
    const auto& name = header->backing_name;
    require(name.size() <= 1023 && name.find('\0') == std::string::npos);
    require(name.substr(0, name.find('/')).find(':') == std::string::npos);
  }
  return 0;
}
