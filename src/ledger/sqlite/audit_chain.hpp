#pragma once
// The append-only table `audit` that both databases have.

#include <functional>
#include <vector>

#include "ledger/sqlite/database.hpp"
#include "vmpatch/ledger/anchor.hpp"
#include "vmpatch/ledger/records.hpp"

namespace vmpatch::ledger {

/// Inside a transaction of the caller. `row` has everything but its digest; it comes back as it is stored.
Result<AuditRow> append_audit(Database& database, AuditRow row);
Result<std::vector<AuditRow>> load_audit(Database& database, std::int64_t first, std::size_t limit);

/// From row `first` on (0: from the start), each with the row before it; nullptr for the first one. A row that cannot be read, or
/// that is not in its canonical form, is an error in its place.
using VisitRow = std::function<Result<void>(const Result<AuditRow>& row, const AuditRow* previous)>;
Result<void> each_audit_row(Database& database, std::int64_t first, const VisitRow& visit);

/// The row with the highest sequence, by its sequence and digest as they are stored.
Result<std::optional<Head>> last_audit_row(Database& database);
/// The highest sequence that was ever given to a row.
Result<std::int64_t> last_given_sequence(Database& database);
Result<void> set_last_given_sequence(Database& database, std::int64_t sequence);

}  // namespace vmpatch::ledger
