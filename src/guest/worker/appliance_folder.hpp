#pragma once
// The appliance of this host: kernel, initrd and root file system, made by supermin out of the host's own packages before any guest is
// looked at, in a folder that no worker can write. libguestfs calls it a fixed appliance: libguestfs-make-fixed-appliance(1).

#include <filesystem>
#include <string>

#include "vmpatch/core/result.hpp"

namespace vmpatch::guest::worker {

/// The folder, ready to be used: it is built when there is none, when the host's packages, kernels or supermin have changed since, and when
/// its files are not what was built. As root it is built by an account that has nothing else, and belongs to root. Several processes
/// may ask at once: one builds. Errors: not_found (no supermin or no appliance description: install libguestfs), failed, timeout.
Result<std::filesystem::path> ready_appliance(const std::filesystem::path& cache_dir);

/// touched: good, and its record does not know the files by their times any more, so that each look reads them whole.
enum class ApplianceState { good, touched, missing, outdated, changed };
/// Whether a folder holds what was built for `key`. Files that were not touched since are believed; others are compared by digest.
ApplianceState check_appliance(const std::filesystem::path& folder, const std::string& key);
/// Of a folder with kernel, initrd and root: they become read-only, and a record of them is written.
Result<void> seal_appliance(const std::filesystem::path& folder, const std::string& key);

}  // namespace vmpatch::guest::worker
