#pragma once
// What a boot proof starts a machine on, from what its XML says.

#include "vmpatch/inventory/machine.hpp"
#include "vmpatch/proof/boot.hpp"

namespace vmpatch::engine {

/// Pure. Errc::unsupported: its kernel does not come from its disks, or firmware of a format that is not raw.
Result<proof::Hardware> boot_hardware(const inventory::Machine& machine);

/// Pure. Without its export; `target`: as the machine names it.
proof::Disk boot_disk(const inventory::Machine& machine, const std::string& target);

}  // namespace vmpatch::engine
