#pragma once

#include <string>
#include <vector>

#include "vmpatch/core/json_fwd.hpp"
#include "vmpatch/fleet/refresh.hpp"

namespace vmpatch::cli {

/// The last word of one machine, for its progress line.
std::string last_word(const fleet::Refreshed& one);
/// A table, and what went wrong below it.
std::string format_refreshed(const std::vector<fleet::Refreshed>& all);
/// Schema vm-patch/refresh/v1.
Json refresh_json(const std::vector<fleet::Refreshed>& all);

}  // namespace vmpatch::cli
