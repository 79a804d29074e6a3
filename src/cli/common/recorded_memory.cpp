#include "cli/common/recorded_memory.hpp"

#include <algorithm>

namespace vmpatch::cli {

Result<RecordedMemory> RecordedMemory::load(const Context& context) {
  RecordedMemory memory;
  const auto store = ledger::CustodyStore::open(context.paths.custody(), {.create = false});
  if (!store && store.error().code == Errc::not_found) return memory;
  VMPATCH_CHECK(store);
  VMPATCH_TRY(memory.all_, (*store)->all_saved());
  return memory;
}

std::optional<Time> RecordedMemory::saved(const std::string& machine_uuid) const {
  const auto found = all_.find(machine_uuid);
  if (found == all_.end() || !found->second.memory || found->second.managed) return std::nullopt;
  return found->second.time;
}

std::optional<Time> RecordedMemory::forgotten(const std::string& machine_uuid) const {
  const auto found = all_.find(machine_uuid);
  if (found == all_.end()) return std::nullopt;
  const ledger::SavedMemory& memory = found->second;
  if (!memory.memory || !memory.managed) return memory.forgotten;
  return std::max(memory.time, memory.forgotten.value_or(memory.time));
}

}  // namespace vmpatch::cli
