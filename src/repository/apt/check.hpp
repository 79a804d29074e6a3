#pragma once
// The resolver has seen a guest: what it says counts only where verified metadata and the guest's own database say the same.

#include "repository/apt/offers.hpp"
#include "vmpatch/guest/manager_files.hpp"
#include "vmpatch/repository/update.hpp"

namespace vmpatch::repository::apt {

/// From vm-patch-apt's answer to an update; what is a downgrade, essential (of what is installed) or a security update is said by lists and
/// database, not by the resolver. Errors: failed (no answer of this version, no package database), untrusted (a package that no list offers
/// in this form, another installed version than the database's, in mode security a change that is none, operations that do not make the
/// changes).
Result<Update> checked_update(std::string_view answer, const guest::ManagerFiles& installed, const Snapshot& snapshot, Mode mode, AllOffers& offers);

}  // namespace vmpatch::repository::apt
