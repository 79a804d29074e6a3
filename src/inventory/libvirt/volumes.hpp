#pragma once

#include <vector>

#include "inventory/libvirt/connection.hpp"
#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory::libvirt {

/// Paths of those disks that are given as volume of a pool. One that is not found has a problem.
void resolve_volumes(virConnect* connection, std::vector<Disk>& disks);

}  // namespace vmpatch::inventory::libvirt
