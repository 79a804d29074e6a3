#pragma once

#include "inventory/libvirt/connection.hpp"
#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory::libvirt {

/// Those snapshots of a machine whose disks are files of their own. One that cannot be read stays, with its problem; what
/// cannot even be listed is one entry without a name.
void load_snapshots(virDomain* domain, Machine& machine, Pulse& pulse);

}  // namespace vmpatch::inventory::libvirt
