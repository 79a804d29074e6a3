#pragma once
// How a database's schema differs from the one that the migrations make.

#include <string>
#include <vector>

#include "ledger/sqlite/database.hpp"

namespace vmpatch::ledger {

struct SchemaDifference {
  std::string type, name;
  std::string found, wanted;  ///< SQL; empty: there is none of this name
  [[nodiscard]] std::string text() const;
};

Result<std::vector<SchemaDifference>> schema_differences(Database& database, const std::vector<std::string_view>& migrations);
/// The newest migration that makes the tables as they are, whatever the database says of its version; 0: none does.
Result<std::int64_t> made_by_version(Database& database, const std::vector<std::string_view>& migrations);
/// Drops what is too much, and makes what is missing. Errc::refused when a table has another form. Inside a transaction.
Result<void> repair_schema(Database& database, const std::vector<SchemaDifference>& differences);

}  // namespace vmpatch::ledger
