#pragma once
// A folder from which things are believed.

#include <filesystem>

#include "vmpatch/core/result.hpp"

namespace vmpatch {

/// Nobody else can change what lies in it: it belongs to this user and is written by no other, and no folder above it lets somebody else put
/// another in its place. It exists. Errc::refused names the folder that does, and VM_PATCH_CACHE as the way out.
Result<void> check_own_folder(const std::filesystem::path& folder);

}  // namespace vmpatch
