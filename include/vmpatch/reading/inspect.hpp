#pragma once
// What is on a machine, read without writing a disk.

#include "vmpatch/guest/manager_files.hpp"
#include "vmpatch/reading/environment.hpp"

namespace vmpatch::reading {

struct Inspection {
  guest::Facts facts;
  bool cached = false;  ///< from the cache: the disks have the identity that they had at `read`
  Time read{};
};
/// From environment.facts_cache when the disks did not change since, unless `fresh`; what was read is put there. Block
/// devices and images written within the last seconds are always read: their identity does not tell. Errc::busy when the
/// machine runs.
Result<Inspection> inspect(const Environment& environment, const inventory::Machine& machine, bool fresh);

/// The same for the files of its package manager: what a resolver of repositories needs. Errors: unsupported besides (another manager than dpkg).
Result<guest::ManagerFiles> inspect_manager_files(const Environment& environment, const inventory::Machine& machine, bool fresh);

}  // namespace vmpatch::reading
