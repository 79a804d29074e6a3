#pragma once
// Which packages a guest has: finds the database and reads it.

#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {

/// Fills package_manager, packages and half_configured. Errors: failed with the path of the database.
Result<void> read_packages(Guest& guest, Facts& facts);

}  // namespace vmpatch::guest
