#pragma once

#include "guest/guestfs/appliance.hpp"
#include "guest/guestfs/handle.hpp"

namespace vmpatch::guest::guestfs {

/// A running appliance with all disks, the payload disk last.
Result<Handle> launch(const ApplianceOptions& options);

}  // namespace vmpatch::guest::guestfs
