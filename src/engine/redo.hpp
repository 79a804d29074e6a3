#pragma once
// Finishing a commit from its redo log (the overlay), for recovery and rollback.

#include "engine/commit.hpp"
#include "engine/run_record.hpp"

namespace vmpatch::engine {

/// Disks of a run, opened from its record. Errors: not_found (an overlay is gone), refused (the base is another file now).
Result<std::vector<StagedDisk>> open_recorded(const ledger::Run& run, const std::vector<RecordedDisk>& recorded);

/// Locks, commits every disk (again), and gives the identities afterwards. `changed_bytes` counts what was written.
Result<Identities> redo_commit(const Environment& environment, const ledger::Run& run,
                               const std::vector<RecordedDisk>& recorded, std::uint64_t& changed_bytes);

/// Folders and files that a run may have left.
Result<void> remove_leftovers(const Environment& environment, const ledger::Run& run, bool with_undo);

/// What processes left that were killed outside a run, or between its last state and its cleaning.
Result<void> sweep(const Environment& environment);

}  // namespace vmpatch::engine
