#pragma once
// Which release a code name is.

#include <string_view>

namespace vmpatch::advisory {

/// Debian's code names (distro-info-data, debian.csv): "bookworm" → "12", "unstable" → "sid"; "" for no code name.
std::string_view debian_number(std::string_view code_name);

/// Ubuntu's (ubuntu.csv): "jammy" → "22.04"; "" for no code name.
std::string_view ubuntu_number(std::string_view code_name);

}  // namespace vmpatch::advisory
