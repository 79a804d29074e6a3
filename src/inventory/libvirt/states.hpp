#pragma once
// In which states machines are, and why the ones that are off are.

#include <map>
#include <optional>
#include <set>

#include "inventory/libvirt/connection.hpp"
#include "vmpatch/inventory/libvirt_folders.hpp"
#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory::libvirt {

std::string uuid_of(virDomain* domain);

struct DomainState {
  State state = State::unknown;
  int reason = 0;  ///< as libvirt numbers them: virDomainShutoffReason of a machine that is shut off
};

/// One machine's, fresh.
DomainState load_state(virDomain* domain);

/// Properties of all machines: one call for each, where the driver has it.
class States {
 public:
  States(virConnect* connection, Pulse& pulse) : connection_(connection), pulse_(pulse) {}

  /// Whether virConnectListAllDomains lists it with this flag; nullopt: the driver cannot tell in one call.
  std::optional<bool> has(unsigned flag, const std::string& uuid);
  DomainState of(virDomain* domain, const std::string& uuid);

 private:
  std::optional<std::set<std::string>> load(unsigned flag);
  std::map<std::string, int> load_reasons();

  virConnect* connection_;
  Pulse& pulse_;
  std::map<unsigned, std::optional<std::set<std::string>>> sets_;
  std::optional<std::map<std::string, int>> reasons_;  ///< of the machines that are shut off
};

/// Puts together what libvirt says, and what its log does where libvirt has forgotten it. Saved memory counts only while nothing
/// runs: libvirt drops a managed save at the next start. `folders`: nullopt where they are not known.
void set_state(Machine& machine, DomainState state, bool managed_save, const std::optional<LibvirtFolders>& folders);

}  // namespace vmpatch::inventory::libvirt
