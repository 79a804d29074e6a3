#pragma once
// What verified package lists hold.

#include <functional>
#include <string>
#include <string_view>

#include "vmpatch/core/result.hpp"

namespace vmpatch::repository::apt {

/// Calls `each` with a line for every package of a Packages file (its name's ending tells the compression), without line break:
/// name, architecture, version, file, size, SHA-256, source package, its version, installed size in KiB, with tabs between.
Result<void> index_packages(const std::string& path, const std::function<Result<void>(std::string_view)>& each);

}  // namespace vmpatch::repository::apt
