#pragma once
// The resolver has seen a guest: what it says counts only where verified metadata and the guest's own database say the same.

#include "repository/store.hpp"
#include "vmpatch/guest/manager_files.hpp"
#include "vmpatch/repository/update.hpp"

namespace vmpatch::repository::apt {

/// From vm-patch-apt's answer to an update. Errors: failed (no answer of this version), untrusted (a package that no list offers in this
/// form, another installed version than the database's, operations that do not make the changes).
Result<Update> checked_update(std::string_view answer, const guest::ManagerFiles& installed, const Snapshot& snapshot, Mode mode, const Store& store);

}  // namespace vmpatch::repository::apt
