#pragma once

#include "inventory/libvirt/connection.hpp"
#include "vmpatch/inventory/libvirt_folders.hpp"
#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory::libvirt {

struct Host {
  virConnect* connection;
  std::string uri;
  std::optional<LibvirtFolders> folders;  ///< where its log is; nullopt: not known
};

/// All machines of a host. A machine whose XML cannot be read keeps its name, UUID and state, and a problem.
Result<std::vector<Machine>> load_machines(const Host& host, Pulse& pulse);

/// One machine, fresh. Errc::not_found.
Result<Machine> load_machine(const Host& host, const std::string& name_or_uuid, Pulse& pulse);

}  // namespace vmpatch::inventory::libvirt
