#pragma once
// Records to and from rows.

#include <vector>

#include "ledger/sqlite/database.hpp"
#include "vmpatch/ledger/records.hpp"

namespace vmpatch::ledger {

/// In the place of the policy where the records had none when they were accepted: there may have been one. Nothing is allowed by it.
inline constexpr std::string_view lost_policy = "null";

// From a row as its kind gives it (record_kinds.cpp).
Result<Run> read_run(const Row& row);
Result<Attestation> read_attestation(const Row& row, bool with_envelope);
Result<Undo> read_undo(const Row& row);
Result<Override> read_override(const Row& row);

template <class Record>
Result<std::vector<Record>> read_each(const std::vector<Row>& rows, Result<Record> (*read)(const Row&)) {
  std::vector<Record> all;
  all.reserve(rows.size());
  for (const Row& row : rows) {
    VMPATCH_TRY(Record record, read(row));
    all.push_back(std::move(record));
  }
  return all;
}

inline constexpr std::string_view unfinished = "state NOT IN ('attested', 'discarded', 'failed')";
inline constexpr std::string_view undo_columns = "run_id, machine_uuid, machine_name, created, bytes, state, used_by, detail";
inline constexpr std::string_view override_columns = "id, machine_uuid, identities, reason, actor, created, expires";
Result<void> insert_run(Database& database, const Run& run);
Result<void> insert_attestation(Database& database, const Attestation& attestation);

}  // namespace vmpatch::ledger
