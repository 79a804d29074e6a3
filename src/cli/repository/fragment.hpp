#pragma once

#include <string>
#include <vector>

#include "vmpatch/repository/source.hpp"

namespace vmpatch::cli {

/// `repositories:` as policy reads it, with the keys that an import fills in: no snapshot, connection or max_age.
std::string write_fragment(const std::vector<repository::Source>& sources);

}  // namespace vmpatch::cli
