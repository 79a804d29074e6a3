#pragma once
// The header Content-Range (RFC 9110, 14.4).

#include <cstdint>
#include <optional>
#include <string_view>

namespace vmpatch::fetch {

struct ContentRange {
  std::uint64_t first = 0, last = 0;  ///< bytes, both of them in it
  std::uint64_t total = 0;            ///< of the file; 0 = not told
};

/// Of "bytes 5-9/10" and "bytes 5-9/*"; nothing of any other text.
std::optional<ContentRange> parse_content_range(std::string_view text);

}  // namespace vmpatch::fetch
