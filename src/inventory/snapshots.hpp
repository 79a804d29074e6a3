#pragma once
// Which states a machine can be reverted to.

#include <map>
#include <string>
#include <vector>

#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory {

/// Snapshots within the images of a machine: target -> those of that disk's image.
using InternalSnapshots = std::map<std::string, std::vector<image::InternalSnapshot>>;

/// Adds them to those that libvirt told of: one for each name, with every disk that has it; the other disks as they are now. They
/// take the places of libvirt's internal ones; of those, one that no image holds has a problem.
void add_internal_snapshots(Machine& machine, const InternalSnapshots& found);

/// Sorts by age, and keeps the oldest 256.
void settle_snapshots(Machine& machine);

}  // namespace vmpatch::inventory
