#pragma once

#include <string>

#include "vmpatch/core/result.hpp"

namespace vmpatch::repository::apt {

/// The content of a compressed file (its name's ending tells how) goes to a descriptor. Whoever reads that bounds and checks it. Errc::failed.
Result<void> unpack_list(const std::string& path, int to);

}  // namespace vmpatch::repository::apt
