#pragma once
// What somebody with root and the sqlite3 tool does who goes around a unique key: the table gets another one, takes the rows, and has
// its old schema again afterwards, to the letter.

#include <string>

#include "vmpatch/core/format.hpp"

namespace vmpatch {

/// SQL that runs `sql` while `key` in the definition of `table` is `other` (and its automatic indexes are gone). Needs a connection
/// that is not defensive.
inline std::string with_other_key(const std::string& table, const std::string& key, const std::string& other, const std::string& sql) {
  return fmt::format(
      "CREATE TEMP TABLE kept AS SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema WHERE tbl_name = '{0}' AND (name = '{0}' OR sql IS NULL);"
      "PRAGMA writable_schema = ON;"
      "UPDATE sqlite_schema SET sql = replace(sql, '{1}', '{2}') WHERE name = '{0}';"
      "DELETE FROM sqlite_schema WHERE tbl_name = '{0}' AND sql IS NULL;"
      "PRAGMA writable_schema = RESET;"
      "{3};"
      "PRAGMA writable_schema = ON;"
      "UPDATE sqlite_schema SET sql = (SELECT sql FROM kept WHERE name = '{0}') WHERE name = '{0}';"
      "INSERT INTO sqlite_schema SELECT * FROM kept WHERE sql IS NULL;"
      "PRAGMA writable_schema = RESET;"
      "DROP TABLE kept",
      table, key, other, sql);
}

}  // namespace vmpatch
