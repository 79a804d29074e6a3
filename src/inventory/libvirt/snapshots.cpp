#include "inventory/libvirt/snapshots.hpp"

#include "inventory/libvirt/volumes.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::inventory::libvirt {
namespace {

using SnapshotPtr = std::unique_ptr<virDomainSnapshot, Free<virDomainSnapshotFree>>;

Snapshot unreadable(std::string name, const Error& error) {
  Snapshot snapshot;
  snapshot.name = std::move(name);
  snapshot.kind = Snapshot::Kind::external;
  snapshot.problem = error.message;
  return snapshot;
}

Snapshot load_snapshot(virDomain* domain, virDomainSnapshot* handle, const std::string& machine) {
  const char* name = virDomainSnapshotGetName(handle);
  const std::string shown = name == nullptr ? "" : name;
  const std::string what = machine + " at snapshot " + shown;
  const std::string text = take_string(virDomainSnapshotGetXMLDesc(handle, 0));
  auto parsed = text.empty() ? Result<Snapshot>(last_error("read the definition of " + escape_untrusted(what)))
                             : parse_snapshot_xml(text, what);
  if (!parsed) return unreadable(shown, parsed.error());
  resolve_volumes(virDomainGetConnect(domain), parsed->disks);
  return std::move(*parsed);
}

}  // namespace

void load_snapshots(virDomain* domain, Machine& machine, Pulse& pulse) {
  virDomainSnapshot** handles = nullptr;
  const int count = virDomainListAllSnapshots(domain, &handles, 0);
  pulse.beat();
  if (count < 0) {
    machine.snapshots.push_back(unreadable("", last_error("list the snapshots of " + escape_untrusted(machine.name))));
    return;
  }
  for (const auto& handle : take_handles<SnapshotPtr>(handles, count)) {
    machine.snapshots.push_back(load_snapshot(domain, handle.get(), machine.name));
    pulse.beat();
  }
}

}  // namespace vmpatch::inventory::libvirt
