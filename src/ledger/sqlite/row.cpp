#include "ledger/sqlite/row.hpp"

#include <sqlite3.h>

#include "vmpatch/core/format.hpp"

namespace vmpatch::ledger {

Row::Row(sqlite3_stmt* statement, int first, std::string file) : file_(std::move(file)) {
  for (int column = first; column < sqlite3_column_count(statement); ++column) {
    Value value{.type = sqlite3_column_type(statement, column), .integer = 0, .bytes = {}};
    if (value.type == SQLITE_INTEGER) {
      value.integer = sqlite3_column_int64(statement, column);
      value.bytes = std::to_string(value.integer);
    } else if (const void* bytes = sqlite3_column_blob(statement, column); bytes != nullptr) {
      value.bytes.assign(static_cast<const char*>(bytes), static_cast<std::size_t>(sqlite3_column_bytes(statement, column)));
    }
    values_.push_back(std::move(value));
  }
}

bool Row::is_null(std::size_t column) const { return values_.at(column).type == SQLITE_NULL; }

Result<Json> Row::json(std::size_t column) const { return parse_json(text(column), file_); }

std::string Row::exact() const {
  std::string text;
  for (const Value& value : values_) text += fmt::format("{}:{}:{},", value.type, value.bytes.size(), value.bytes);
  return text;
}

}  // namespace vmpatch::ledger
