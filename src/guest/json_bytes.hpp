#pragma once

#include <string>
#include <string_view>

namespace vmpatch::guest {

/// Any bytes as valid UTF-8, and back exactly: a byte that is not part of UTF-8 becomes the character U+EF00 + byte, and so do the
/// three bytes of a character from U+EF80 to U+EFFF.
[[nodiscard]] std::string bytes_to_text(std::string_view bytes);
[[nodiscard]] std::string text_to_bytes(std::string_view text);

}  // namespace vmpatch::guest
