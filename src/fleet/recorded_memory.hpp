#pragma once
// What the gate recorded of memory that was saved, for inventory::ChainOptions.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/fleet/invocation.hpp"
#include "vmpatch/image/identity.hpp"
#include "vmpatch/inventory/source.hpp"
#include "vmpatch/ledger/gate_view.hpp"

namespace vmpatch::fleet {

/// As it is now, for all machines. Without a custody database nothing is recorded.
class RecordedMemory {
 public:
  static Result<RecordedMemory> load(const Invocation& invocation);
  /// Of memory in a file: of that in libvirt's own folder libvirt itself tells. A machine may have another UUID now, or libvirt have
  /// forgotten it: memory belongs to whoever has one of its disks, as long as nobody has written that one since.
  [[nodiscard]] std::optional<Time> saved(const std::string& machine_uuid, const std::vector<image::LayerIdentity>& disks) const;
  /// Memory of before is worthless: an operator said so; or it went into libvirt's own folder, where libvirt has none any more.
  [[nodiscard]] std::optional<Time> forgotten(const std::string& machine_uuid) const;

 private:
  std::map<std::string, ledger::SavedMemory> all_;
};

}  // namespace vmpatch::fleet
