#pragma once
// One row of a question, with its values as SQLite gave them: what was checked is what is read afterwards.

#include <cstdint>
#include <string>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/json.hpp"

struct sqlite3_stmt;

namespace vmpatch::ledger {

class Row {
 public:
  /// The row at which `statement` stands, from column `first` on. `file` names its database in errors.
  Row(sqlite3_stmt* statement, int first, std::string file);

  [[nodiscard]] std::int64_t integer(std::size_t column) const { return values_.at(column).integer; }
  [[nodiscard]] Time time(std::size_t column) const { return Time(std::chrono::nanoseconds(integer(column))); }
  [[nodiscard]] bool is_null(std::size_t column) const;
  [[nodiscard]] const std::string& text(std::size_t column) const { return values_.at(column).bytes; }
  Result<Json> json(std::size_t column) const;
  /// All values with their types: no other row gives the same.
  [[nodiscard]] std::string exact() const;

 private:
  struct Value {
    int type = 0;
    std::int64_t integer = 0;
    std::string bytes;  ///< of an integer its digits
  };
  std::vector<Value> values_;
  std::string file_;
};

}  // namespace vmpatch::ledger
