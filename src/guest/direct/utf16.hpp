#pragma once

#include <string>
#include <string_view>

namespace vmpatch::guest::direct {

/// UTF-16 in little-endian order, up to its first NUL, as UTF-8. Halves of a pair that stand alone become U+FFFD.
[[nodiscard]] std::string utf8_of_utf16(std::string_view bytes);

}  // namespace vmpatch::guest::direct
