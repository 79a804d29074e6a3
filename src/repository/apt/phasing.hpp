#pragma once
// Phased updates: which machines take a new version already.

#include <apt-pkg/pkgrecords.h>

#include <string>

#include "repository/apt/origins.hpp"

namespace vmpatch::repository::apt {

/// Whether the machine with this id waits for this new version of an installed package. As APT does it (apt_preferences(5), "Phased updates"): by a
/// number drawn from source package, its version and machine-id; security updates and machines without id do not wait.
bool waits_for_phase(const pkgCache::VerIterator& candidate, const Origins& origins, pkgRecords& records, const std::string& machine_id);

}  // namespace vmpatch::repository::apt
