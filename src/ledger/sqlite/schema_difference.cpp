#include "ledger/sqlite/schema_difference.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "ledger/sqlite/migrate.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::ledger {
namespace {

using Objects = std::map<std::pair<std::string, std::string>, std::string>;  ///< type, name → table and SQL

Result<Objects> load_objects(Database& database) {
  VMPATCH_TRY(Statement select, database.prepare("SELECT type, name, sql, tbl_name FROM sqlite_schema"));
  Objects objects;
  for (;;) {
    VMPATCH_TRY(const bool found, select.step());
    if (!found) return objects;
    // Indexes that SQLite makes by itself have no SQL.
    const std::string sql = select.text(2);
    objects[{select.text(0), select.text(1)}] = sql.empty() ? "(automatic) on " + select.text(3) : sql;
  }
}

std::string quoted(const std::string& name) {
  std::string text = "\"";
  for (const char c : name) text += c == '"' ? std::string("\"\"") : std::string(1, c);
  return text + '"';
}

}  // namespace

std::string SchemaDifference::text() const {
  const std::string what = fmt::format("{} {}", escape_untrusted(type), escape_untrusted(name));
  if (wanted.empty()) return fmt::format("{} was added to the schema: {}", what, escape_untrusted(found));
  if (found.empty()) return fmt::format("{} is missing in the schema", what);
  return fmt::format("{} was replaced in the schema: {}", what, escape_untrusted(found));
}

Result<std::vector<SchemaDifference>> schema_differences(Database& database, const std::vector<std::string_view>& migrations) {
  VMPATCH_TRY(Database fresh, Database::in_memory());
  VMPATCH_CHECK(migrate(fresh, migrations));
  VMPATCH_TRY(const Objects wanted, load_objects(fresh));
  VMPATCH_TRY(const Objects found, load_objects(database));
  std::vector<SchemaDifference> differences;
  for (const auto& [id, sql] : found) {
    const auto ours = wanted.find(id);
    if (ours == wanted.end()) {
      differences.push_back({id.first, id.second, sql, ""});
    } else if (ours->second != sql) {
      differences.push_back({id.first, id.second, sql, ours->second});
    }
  }
  for (const auto& [id, sql] : wanted) {
    if (!found.contains(id)) differences.push_back({id.first, id.second, "", sql});
  }
  return differences;
}

Result<std::int64_t> made_by_version(Database& database, const std::vector<std::string_view>& migrations) {
  const auto other_form = [](const SchemaDifference& difference) { return difference.type == "table" && !difference.wanted.empty(); };
  for (std::size_t version = migrations.size(); version > 0; --version) {
    const std::vector<std::string_view> first(migrations.begin(), migrations.begin() + static_cast<std::ptrdiff_t>(version));
    VMPATCH_TRY(const auto differences, schema_differences(database, first));
    if (std::ranges::none_of(differences, other_form)) return static_cast<std::int64_t>(version);
  }
  return 0;
}

Result<void> repair_schema(Database& database, const std::vector<SchemaDifference>& differences) {
  for (const SchemaDifference& difference : differences) {
    if (difference.type == "table" && !difference.found.empty() && !difference.wanted.empty()) {
      return fail(Errc::refused, "{}: table {} has another form than vm-patch makes, so that its records cannot be read; {}",
                  database.file(), escape_untrusted(difference.name), way_without);
    }
  }
  // What hangs on a table goes before it, and comes after it.
  for (const char* type : {"trigger", "view", "index", "table"}) {
    for (const SchemaDifference& difference : differences) {
      if (difference.type != type || difference.found.empty() || difference.found.starts_with("(automatic)")) continue;
      VMPATCH_CHECK(database.execute(fmt::format("DROP {} IF EXISTS {}", type, quoted(difference.name))));
    }
  }
  for (const char* type : {"table", "index", "trigger"}) {
    for (const SchemaDifference& difference : differences) {
      if (difference.type != type || difference.wanted.empty() || difference.wanted.starts_with("(automatic)")) continue;
      if (difference.name.starts_with("sqlite_")) continue;
      VMPATCH_CHECK(database.execute(difference.wanted));
    }
  }
  return {};
}

}  // namespace vmpatch::ledger
