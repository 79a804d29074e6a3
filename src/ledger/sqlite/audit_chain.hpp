#pragma once
// The append-only table `audit` that both databases have.

#include <vector>

#include "ledger/sqlite/database.hpp"
#include "vmpatch/ledger/records.hpp"

namespace vmpatch::ledger {

/// Inside a transaction of the caller.
Result<void> append_audit(Database& database, Time time, const std::string& who, const std::string& action,
                          const std::string& subject, const Json& data);
Result<std::vector<AuditRow>> load_audit(Database& database, std::int64_t first, std::size_t limit);
/// Errc::untrusted with the first row that does not fit; else the number of rows.
Result<std::int64_t> verify_audit_chain(Database& database);

}  // namespace vmpatch::ledger
