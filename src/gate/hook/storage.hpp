#pragma once
// The only part of the hook that touches guest storage.

#include <optional>

#include "gate/hook/errand.hpp"
#include "vmpatch/gate/identities.hpp"

namespace vmpatch::gate {

/// load_disk_facts(), in a child process: storage that does not answer within 1.5 s (hard NFS, a dead device) holds up that child
/// alone. It looks while we open databases.
class DiskLook {
 public:
  explicit DiskLook(const inventory::Machine& machine);
  /// For the same machine, once. The disk whose storage did not answer has no identity, and its `problem` says so; those after it
  /// were not looked at.
  DiskFacts finish(inventory::Machine& machine);

 private:
  SteadyTime deadline_;
  Result<Errand> errand_;
};

/// libvirt's managed-save file of the machine of this name is there; in a child process, too. False where that cannot be told.
bool has_managed_save(const std::string& name);

}  // namespace vmpatch::gate
