#pragma once
// Numbered, immutable migrations: the N-th text brings a database from version N-1 to N (PRAGMA user_version).

#include <string_view>
#include <vector>

#include "ledger/sqlite/database.hpp"

namespace vmpatch::ledger {

const std::vector<std::string_view>& ledger_migrations();
const std::vector<std::string_view>& custody_migrations();
const std::vector<std::string_view>& facts_migrations();

/// All that are missing, each in one transaction. Errc::refused when the database is newer than this program.
Result<void> migrate(Database& database, const std::vector<std::string_view>& migrations);
/// For readers: Errc::failed unless the database has exactly this program's version.
Result<void> check_version(Database& database, const std::vector<std::string_view>& migrations);

}  // namespace vmpatch::ledger
