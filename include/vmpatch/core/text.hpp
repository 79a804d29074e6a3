#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vmpatch {

/// Makes text from a guest or an image safe for a terminal and one line: control characters, DEL, invalid UTF-8,
/// C1 controls and bidirectional overrides become \xHH or \u{HHHH}; a backslash becomes \\.
[[nodiscard]] std::string escape_untrusted(std::string_view text);

/// Text that another process of ours says is escaped: as it came when escape_untrusted() made it or could have, else escaped
/// now. Cut to the whole characters of the first `max_bytes`; escaping then makes it longer.
[[nodiscard]] std::string ensure_escaped(std::string_view text, std::size_t max_bytes = 4096);

/// Bytes of the UTF-8 character that `text` starts with; 0 when it is empty or does not start with valid UTF-8.
[[nodiscard]] std::size_t utf8_length(std::string_view text);

/// 1.5 GiB, 300 KiB, 17 B.
[[nodiscard]] std::string format_size(std::uint64_t bytes);

[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);
[[nodiscard]] std::string_view trim(std::string_view text);

/// Shell-style pattern (fnmatch without flags): * ? [].
[[nodiscard]] bool matches_pattern(std::string_view pattern, const std::string& text);

}  // namespace vmpatch
