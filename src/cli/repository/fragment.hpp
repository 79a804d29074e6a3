#pragma once

#include <string>
#include <vector>

#include "vmpatch/repository/source.hpp"

namespace vmpatch::cli {

/// `repositories:` as policy reads it, with the keys that an import fills in: no snapshot or connection, and a max_age for security alone.
std::string write_fragment(const std::vector<repository::Source>& sources);

}  // namespace vmpatch::cli
