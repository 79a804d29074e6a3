#pragma once

#include <string_view>

namespace vmpatch::trust {

/// Of an OpenPGP key, as gpg prints it: 40 upper-case hex digits (version 4, RFC 4880), or 64.
[[nodiscard]] bool is_fingerprint(std::string_view text);

}  // namespace vmpatch::trust
