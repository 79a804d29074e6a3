#include "fleet/recorded_memory.hpp"

#include <algorithm>

#include "vmpatch/gate/identities.hpp"

namespace vmpatch::fleet {

namespace {

/// libvirt changes the owner of a disk at every try to start it: ctime tells nothing.
bool is_unwritten(image::LayerIdentity then, const image::LayerIdentity& now) {
  then.ctime_ns = now.ctime_ns;
  return image::matches({then}, {now});
}

bool fits(const ledger::SavedMemory& memory, const std::vector<image::LayerIdentity>& disks) {
  const auto recorded = gate::identities_from_json(memory.identities);
  if (!recorded) return false;  // not known: the machine that it was saved of has it under its own UUID
  return std::ranges::any_of(*recorded, [&](const auto& disk) {
    return !disk.second.empty() &&
           std::ranges::any_of(disks, [&](const image::LayerIdentity& now) { return is_unwritten(disk.second.front(), now); });
  });
}

}  // namespace

Result<RecordedMemory> RecordedMemory::load(const Invocation& invocation) {
  RecordedMemory memory;
  const auto store = ledger::CustodyStore::open(invocation.paths.custody(), {.create = false});
  if (!store && store.error().code == Errc::not_found) return memory;
  VMPATCH_CHECK(store);
  VMPATCH_TRY(memory.all_, (*store)->all_saved());
  return memory;
}

std::optional<Time> RecordedMemory::saved(const std::string& machine_uuid, const std::vector<image::LayerIdentity>& disks) const {
  std::optional<Time> newest;
  for (const auto& [uuid, memory] : all_) {
    if (!memory.memory || memory.managed) continue;
    if (uuid != machine_uuid && !fits(memory, disks)) continue;
    newest = std::max(newest.value_or(memory.time), memory.time);
  }
  return newest;
}

std::optional<Time> RecordedMemory::forgotten(const std::string& machine_uuid) const {
  const auto found = all_.find(machine_uuid);
  if (found == all_.end()) return std::nullopt;
  const ledger::SavedMemory& memory = found->second;
  if (!memory.memory || !memory.managed) return memory.forgotten;
  return std::max(memory.time, memory.forgotten.value_or(memory.time));
}

}  // namespace vmpatch::fleet
