#pragma once

#include "inventory/libvirt/connection.hpp"
#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory::libvirt {

/// The snapshots of a machine; the internal ones without disks. One that cannot be read stays, with its problem; what cannot even
/// be listed is one entry without a name.
void load_snapshots(virDomain* domain, Machine& machine, Pulse& pulse);

}  // namespace vmpatch::inventory::libvirt
