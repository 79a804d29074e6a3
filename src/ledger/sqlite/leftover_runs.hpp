#pragma once
// Folders of runs against the records of runs.

#include <filesystem>

#include "ledger/sqlite/database.hpp"

namespace vmpatch::ledger {

/// Errc::refused names folders below STATE/runs and STATE/undo whose run `ledger` knows nothing of, or (runs) as ended: that run may
/// have been writing disks. Null: it will know of none. The rows are taken as they are.
Result<void> check_leftover_runs(const std::filesystem::path& state_dir, Database* ledger);

}  // namespace vmpatch::ledger
