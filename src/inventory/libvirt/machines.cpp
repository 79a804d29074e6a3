#include "inventory/libvirt/machines.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include "inventory/libvirt/snapshots.hpp"
#include "inventory/libvirt/volumes.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/uuid.hpp"

namespace vmpatch::inventory::libvirt {
namespace {

std::string uuid_of(virDomain* domain) {
  std::array<char, VIR_UUID_STRING_BUFLEN> text{};
  return virDomainGetUUIDString(domain, text.data()) == 0 ? text.data() : "";
}

State to_state(int state) {
  switch (state) {
    case VIR_DOMAIN_RUNNING:
    case VIR_DOMAIN_BLOCKED:
    case VIR_DOMAIN_SHUTDOWN: return State::running;
    case VIR_DOMAIN_PAUSED: return State::paused;
    case VIR_DOMAIN_PMSUSPENDED: return State::pmsuspended;
    case VIR_DOMAIN_SHUTOFF: return State::shutoff;
    case VIR_DOMAIN_CRASHED: return State::crashed;
    default: return State::unknown;
  }
}

/// Which machines have a property: one call for all of them, where the driver has that filter.
class Sets {
 public:
  Sets(virConnect* connection, Pulse& pulse) : connection_(connection), pulse_(pulse) {}

  /// nullopt: the driver cannot tell in one call.
  std::optional<bool> has(unsigned flag, const std::string& uuid) {
    auto found = sets_.find(flag);
    if (found == sets_.end()) found = sets_.emplace(flag, load(flag)).first;
    if (!found->second) return std::nullopt;
    return found->second->count(uuid) != 0;
  }

 private:
  std::optional<std::set<std::string>> load(unsigned flag) {
    virDomain** handles = nullptr;
    const int count = virConnectListAllDomains(connection_, &handles, flag);
    pulse_.beat();
    if (count < 0) return std::nullopt;
    std::set<std::string> uuids;
    for (const auto& domain : take_handles<DomainPtr>(handles, count)) uuids.insert(uuid_of(domain.get()));
    return uuids;
  }

  virConnect* connection_;
  Pulse& pulse_;
  std::map<unsigned, std::optional<std::set<std::string>>> sets_;
};

State load_state(virDomain* domain) {
  int state = 0;
  int reason = 0;
  return virDomainGetState(domain, &state, &reason, 0) == 0 ? to_state(state) : State::unknown;
}

/// Nothing runs and nothing is kept: only a definition.
bool is_active(virDomain* domain) { return virDomainGetID(domain) != static_cast<unsigned>(-1); }

Machine load_definition(virConnect* connection, virDomain* domain, const std::string& uri) {
  const char* name = virDomainGetName(domain);
  const std::string shown = name == nullptr ? "" : name;
  const std::string text = take_string(virDomainGetXMLDesc(domain, is_active(domain) ? 0 : VIR_DOMAIN_XML_INACTIVE));
  auto parsed = text.empty() ? Result<Machine>(last_error("read the definition of " + escape_untrusted(shown)))
                             : parse_domain_xml(text, shown);
  Machine machine;
  if (parsed) {
    machine = std::move(*parsed);
    resolve_volumes(connection, machine.disks);
  } else {
    machine.problem = parsed.error().message;
  }
  machine.host = uri;
  machine.name = shown;
  machine.uuid = uuid_of(domain);
  machine.local = is_local_uri(uri);
  return machine;
}

/// Saved memory counts only while nothing runs: libvirt drops the file at the next start.
void set_state(Machine& machine, State state, bool managed_save) {
  machine.managed_save = managed_save;
  machine.state = managed_save && state == State::shutoff ? State::saved : state;
}

Machine load_with_sets(virConnect* connection, virDomain* domain, const std::string& uri, Sets& sets, Pulse& pulse) {
  Machine machine = load_definition(connection, domain, uri);
  const auto has = [&](unsigned flag) { return sets.has(flag, machine.uuid).value_or(false); };
  State state = State::unknown;
  if (has(VIR_CONNECT_LIST_DOMAINS_SHUTOFF)) state = State::shutoff;
  else if (has(VIR_CONNECT_LIST_DOMAINS_RUNNING)) state = State::running;
  else if (has(VIR_CONNECT_LIST_DOMAINS_PAUSED)) state = State::paused;
  else state = load_state(domain);
  const auto saved = sets.has(VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE, machine.uuid);
  set_state(machine, state, saved ? *saved : virDomainHasManagedSaveImage(domain, 0) == 1);
  machine.persistent = !has(VIR_CONNECT_LIST_DOMAINS_TRANSIENT);
  machine.has_snapshots = has(VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT);
  if (machine.has_snapshots) load_snapshots(domain, machine, pulse);
  return machine;
}

}  // namespace

Result<std::vector<Machine>> load_machines(virConnect* connection, const std::string& uri, Pulse& pulse) {
  virDomain** handles = nullptr;
  const int count = virConnectListAllDomains(connection, &handles, 0);
  if (count < 0) return last_error("list the machines of " + escape_untrusted(uri));
  const auto domains = take_handles<DomainPtr>(handles, count);
  pulse.beat();
  Sets sets(connection, pulse);
  std::vector<Machine> machines;
  machines.reserve(domains.size());
  for (const auto& domain : domains) {
    machines.push_back(load_with_sets(connection, domain.get(), uri, sets, pulse));
    pulse.beat();
  }
  std::sort(machines.begin(), machines.end(), [](const Machine& a, const Machine& b) { return a.name < b.name; });
  return machines;
}

Result<Machine> load_machine(virConnect* connection, const std::string& uri, const std::string& name_or_uuid, Pulse& pulse) {
  const bool maybe_uuid = is_uuid(name_or_uuid);
  DomainPtr domain(maybe_uuid ? virDomainLookupByUUIDString(connection, name_or_uuid.c_str()) : nullptr);
  const DomainPtr named(virDomainLookupByName(connection, name_or_uuid.c_str()));
  if (domain && named && uuid_of(domain.get()) != uuid_of(named.get())) {
    return fail(Errc::refused, "{} is one machine's UUID and another one's name on {}; rename one with virsh domrename",
                escape_untrusted(name_or_uuid), escape_untrusted(uri));
  }
  virDomain* found = domain ? domain.get() : named.get();
  if (found == nullptr) return last_error(fmt::format("find machine {} on {}", escape_untrusted(name_or_uuid), escape_untrusted(uri)));
  Machine machine = load_definition(connection, found, uri);
  set_state(machine, load_state(found), virDomainHasManagedSaveImage(found, 0) == 1);
  machine.persistent = virDomainIsPersistent(found) != 0;
  machine.has_snapshots = virDomainSnapshotNum(found, 0) > 0;
  if (machine.has_snapshots) load_snapshots(found, machine, pulse);
  return machine;
}

}  // namespace vmpatch::inventory::libvirt
