#pragma once

#include <filesystem>
#include <string_view>

#include "vmpatch/core/result.hpp"

namespace vmpatch::inventory::xml {

/// <target><path> of storage pool XML: the folder that holds its volumes.
Result<std::filesystem::path> parse_pool_folder(std::string_view bytes, std::string_view pool);
/// The same of libvirt's own note of an active one (<poolstate>).
Result<std::filesystem::path> parse_pool_status_folder(std::string_view bytes, std::string_view pool);

}  // namespace vmpatch::inventory::xml
