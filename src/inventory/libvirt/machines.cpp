#include "inventory/libvirt/machines.hpp"

#include <algorithm>

#include "inventory/libvirt/snapshots.hpp"
#include "inventory/libvirt/states.hpp"
#include "inventory/libvirt/volumes.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/uuid.hpp"

namespace vmpatch::inventory::libvirt {
namespace {

/// Nothing runs and nothing is kept: only a definition.
bool is_active(virDomain* domain) { return virDomainGetID(domain) != static_cast<unsigned>(-1); }

Machine load_definition(const Host& host, virDomain* domain) {
  const char* name = virDomainGetName(domain);
  const std::string shown = name == nullptr ? "" : name;
  const std::string text = take_string(virDomainGetXMLDesc(domain, is_active(domain) ? 0 : VIR_DOMAIN_XML_INACTIVE));
  auto parsed = text.empty() ? Result<Machine>(last_error("read the definition of " + escape_untrusted(shown)))
                             : parse_domain_xml(text, shown);
  Machine machine;
  if (parsed) {
    machine = std::move(*parsed);
    resolve_volumes(host.connection, machine.disks);
  } else {
    machine.problem = parsed.error().message;
  }
  machine.host = host.uri;
  machine.name = shown;
  machine.uuid = uuid_of(domain);
  machine.local = is_local_uri(host.uri);
  return machine;
}

Machine load_with_states(const Host& host, virDomain* domain, States& states, Pulse& pulse) {
  Machine machine = load_definition(host, domain);
  const auto has = [&](unsigned flag) { return states.has(flag, machine.uuid).value_or(false); };
  const DomainState state = states.of(domain, machine.uuid);
  const auto saved = states.has(VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE, machine.uuid);
  set_state(machine, state, saved ? *saved : virDomainHasManagedSaveImage(domain, 0) == 1, host.folders);
  machine.persistent = !has(VIR_CONNECT_LIST_DOMAINS_TRANSIENT);
  machine.has_snapshots = has(VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT);
  if (machine.has_snapshots) load_snapshots(domain, machine, pulse);
  return machine;
}

}  // namespace

Result<std::vector<Machine>> load_machines(const Host& host, Pulse& pulse) {
  virDomain** handles = nullptr;
  const int count = virConnectListAllDomains(host.connection, &handles, 0);
  if (count < 0) return last_error("list the machines of " + escape_untrusted(host.uri));
  const auto domains = take_handles<DomainPtr>(handles, count);
  pulse.beat();
  States states(host.connection, pulse);
  std::vector<Machine> machines;
  machines.reserve(domains.size());
  for (const auto& domain : domains) {
    machines.push_back(load_with_states(host, domain.get(), states, pulse));
    pulse.beat();
  }
  std::sort(machines.begin(), machines.end(), [](const Machine& a, const Machine& b) { return a.name < b.name; });
  return machines;
}

Result<Machine> load_machine(const Host& host, const std::string& name_or_uuid, Pulse& pulse) {
  const bool maybe_uuid = is_uuid(name_or_uuid);
  DomainPtr domain(maybe_uuid ? virDomainLookupByUUIDString(host.connection, name_or_uuid.c_str()) : nullptr);
  const DomainPtr named(virDomainLookupByName(host.connection, name_or_uuid.c_str()));
  if (domain && named && uuid_of(domain.get()) != uuid_of(named.get())) {
    return fail(Errc::refused, "{} is one machine's UUID and another one's name on {}; rename one with virsh domrename",
                escape_untrusted(name_or_uuid), escape_untrusted(host.uri));
  }
  virDomain* found = domain ? domain.get() : named.get();
  if (found == nullptr) return last_error(fmt::format("find machine {} on {}", escape_untrusted(name_or_uuid), escape_untrusted(host.uri)));
  Machine machine = load_definition(host, found);
  set_state(machine, load_state(found), virDomainHasManagedSaveImage(found, 0) == 1, host.folders);
  machine.persistent = virDomainIsPersistent(found) != 0;
  machine.has_snapshots = virDomainSnapshotNum(found, 0) > 0;
  if (machine.has_snapshots) load_snapshots(found, machine, pulse);
  return machine;
}

}  // namespace vmpatch::inventory::libvirt
