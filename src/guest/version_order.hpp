#pragma once

#include <string_view>

namespace vmpatch::guest {

/// <0, 0, >0 by the "Version Format Specification" of the UAPI group, by which boot loaders order their entries. Also the order
/// that GRUB's blscfg makes of file names, as far as distributions name them.
[[nodiscard]] int compare_boot_versions(std::string_view a, std::string_view b);

}  // namespace vmpatch::guest
