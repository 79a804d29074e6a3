#pragma once

#include <vector>

#include "vmpatch/guest/disks.hpp"

namespace vmpatch::guest {

/// Folders before what lies in them, sources of bind mounts before these, entries of equal depth in the order of the table; what is mounted
/// hides a missing device. Refused: vital bind mounts that need each other; others become blocked.
Result<void> put_in_order(std::vector<PlannedMount>& mounts);

}  // namespace vmpatch::guest
