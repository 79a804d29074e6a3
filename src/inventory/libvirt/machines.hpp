#pragma once

#include "inventory/libvirt/connection.hpp"
#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory::libvirt {

/// All machines of a host. A machine whose XML cannot be read keeps its name, UUID and state, and a problem.
Result<std::vector<Machine>> load_machines(virConnect* connection, const std::string& uri, Pulse& pulse);

/// One machine, fresh. Errc::not_found.
Result<Machine> load_machine(virConnect* connection, const std::string& uri, const std::string& name_or_uuid, Pulse& pulse);

}  // namespace vmpatch::inventory::libvirt
