#include "inventory/libvirt/states.hpp"

#include <array>
#include <string_view>

#include "inventory/left/stop_log.hpp"

namespace vmpatch::inventory::libvirt {
namespace {

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

struct FreeRecords {
  void operator()(virDomainStatsRecordPtr* records) const { virDomainStatsRecordListFree(records); }
};

std::optional<int> number_of(const virDomainStatsRecord& record, std::string_view field) {
  for (int i = 0; i < record.nparams; ++i) {
    const virTypedParameter& parameter = record.params[i];
    if (parameter.type == VIR_TYPED_PARAM_INT && field == static_cast<const char*>(parameter.field)) return parameter.value.i;
  }
  return std::nullopt;
}

/// A daemon that was restarted knows no reason. A start that failed, as when a hook denies it, is one of its own, and leaves memory
/// that was saved before it as it was.
bool is_forgotten(int reason) { return reason == VIR_DOMAIN_SHUTOFF_UNKNOWN || reason == VIR_DOMAIN_SHUTOFF_FAILED; }

std::optional<FileSave> find_file_save(const std::string& name, int reason, const std::optional<LibvirtFolders>& folders) {
  const bool told = reason == VIR_DOMAIN_SHUTOFF_SAVED;
  if (!told && !is_forgotten(reason)) return std::nullopt;
  const auto stop = folders ? load_last_stop(folders->logs, name) : std::nullopt;
  const bool logged = stop && stop->saved;
  if (!told && !logged) return std::nullopt;
  FileSave save;
  save.told_by = told ? FileSave::Witness::libvirt : FileSave::Witness::log;
  if (logged) save.when = stop->when;
  return save;
}

}  // namespace

std::string uuid_of(virDomain* domain) {
  std::array<char, VIR_UUID_STRING_BUFLEN> text{};
  return virDomainGetUUIDString(domain, text.data()) == 0 ? text.data() : "";
}

DomainState load_state(virDomain* domain) {
  int state = 0;
  int reason = 0;
  if (virDomainGetState(domain, &state, &reason, 0) != 0) return {};
  return {to_state(state), reason};
}

std::optional<bool> States::has(unsigned flag, const std::string& uuid) {
  auto found = sets_.find(flag);
  if (found == sets_.end()) found = sets_.emplace(flag, load(flag)).first;
  if (!found->second) return std::nullopt;
  return found->second->count(uuid) != 0;
}

std::optional<std::set<std::string>> States::load(unsigned flag) {
  virDomain** handles = nullptr;
  const int count = virConnectListAllDomains(connection_, &handles, flag);
  pulse_.beat();
  if (count < 0) return std::nullopt;
  std::set<std::string> uuids;
  for (const auto& domain : take_handles<DomainPtr>(handles, count)) uuids.insert(uuid_of(domain.get()));
  return uuids;
}

std::map<std::string, int> States::load_reasons() {
  virDomainStatsRecordPtr* list = nullptr;
  const int count = virConnectGetAllDomainStats(connection_, VIR_DOMAIN_STATS_STATE, &list, VIR_CONNECT_GET_ALL_DOMAINS_STATS_SHUTOFF);
  pulse_.beat();
  std::map<std::string, int> reasons;
  if (count < 0) return reasons;
  const std::unique_ptr<virDomainStatsRecordPtr, FreeRecords> records(list);
  for (int i = 0; i < count; ++i) {
    const auto state = number_of(*list[i], "state.state");
    const auto reason = number_of(*list[i], "state.reason");
    if (state == VIR_DOMAIN_SHUTOFF && reason) reasons.emplace(uuid_of(list[i]->dom), *reason);
  }
  return reasons;
}

DomainState States::of(virDomain* domain, const std::string& uuid) {
  if (has(VIR_CONNECT_LIST_DOMAINS_RUNNING, uuid).value_or(false)) return {State::running, 0};
  if (has(VIR_CONNECT_LIST_DOMAINS_PAUSED, uuid).value_or(false)) return {State::paused, 0};
  if (!has(VIR_CONNECT_LIST_DOMAINS_SHUTOFF, uuid).value_or(false)) return load_state(domain);
  if (!reasons_) reasons_ = load_reasons();
  const auto reason = reasons_->find(uuid);
  return reason == reasons_->end() ? load_state(domain) : DomainState{State::shutoff, reason->second};
}

void set_state(Machine& machine, DomainState state, bool managed_save, const std::optional<LibvirtFolders>& folders) {
  machine.managed_save = managed_save;
  machine.state = state.state;
  if (state.state != State::shutoff) return;
  if (!managed_save) machine.saved_to_file = find_file_save(machine.name, state.reason, folders);
  if (managed_save || machine.saved_to_file) machine.state = State::saved;
}

}  // namespace vmpatch::inventory::libvirt
