#pragma once

#include "inventory/libvirt/connection.hpp"
#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory::libvirt {

/// Fills volumes and pool_dirs from the active pools of kind dir, fs, netfs and logical. A driver without pools, and a
/// pool that cannot be read, add nothing.
void load_pools(virConnect* connection, HostInventory& host, Pulse& pulse);

}  // namespace vmpatch::inventory::libvirt
