#pragma once
// Records to and from rows.

#include <vector>

#include "ledger/sqlite/database.hpp"
#include "vmpatch/ledger/records.hpp"

namespace vmpatch::ledger {

inline constexpr std::string_view run_columns =
    "id, kind, machine_uuid, machine_name, host, recipe_id, recipe_version, recipe_digest, state, holder_pid, "
    "holder_start_time, holder_boot_id, recovery_attempts, created, updated, error, detail";
inline constexpr std::string_view unfinished = "state NOT IN ('attested', 'discarded', 'failed')";
/// Columns: run_columns, run_disk_list.
inline constexpr std::string_view run_disk_list =
    "(SELECT json_group_array(disk_key) FROM run_disks WHERE run_id = runs.id ORDER BY disk_key)";
Result<Run> read_run(const Statement& statement);
Result<void> insert_run(Database& database, const Run& run);
/// Newest first, 0 = all; `where` has a "?" for each of `values`.
Result<std::vector<Run>> select_runs(Database& database, std::string_view where, const std::vector<std::string>& values,
                                     std::size_t limit);

/// Columns machine_uuid, machine_name, run_id, time, identities, satisfied[, envelope].
Result<Attestation> read_attestation(const Statement& statement, bool with_envelope);
Result<void> insert_attestation(Database& database, const Attestation& attestation);

inline constexpr std::string_view undo_columns = "run_id, machine_uuid, machine_name, created, bytes, state, used_by, detail";
Result<Undo> read_undo(const Statement& statement);

inline constexpr std::string_view override_columns = "id, machine_uuid, identities, reason, actor, created, expires";
Result<Override> read_override(const Statement& statement);

}  // namespace vmpatch::ledger
