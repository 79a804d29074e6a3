#pragma once
// Files that a guest may have or not.

#include <optional>
#include <string>
#include <vector>

#include "vmpatch/guest/guest.hpp"

namespace vmpatch::guest {

/// nullopt where the path does not exist.
Result<std::optional<std::string>> read_if_there(Guest& guest, const std::string& path, std::uint64_t max_bytes);
/// The same where it cannot be read for what it is: too large, no regular file, damaged.
Result<std::optional<std::string>> read_lenient(Guest& guest, const std::string& path, std::uint64_t max_bytes);
/// Empty where the folder does not exist.
Result<std::vector<DirEntry>> list_if_there(Guest& guest, const std::string& dir);
/// The last component is not followed.
Result<bool> exists(Guest& guest, const std::string& path);

}  // namespace vmpatch::guest
