#include "ledger/sqlite/audit_chain.hpp"

#include "ledger/audit.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {
namespace {

constexpr std::string_view select_rows =
    "SELECT sequence, time, actor, action, subject, data, previous, digest FROM audit WHERE sequence >= ? "
    "ORDER BY sequence LIMIT ?";

Result<AuditRow> read_row(const Statement& statement) {
  AuditRow row;
  row.sequence = statement.integer(0);
  row.time = statement.time(1);
  row.actor = statement.text(2);
  row.action = statement.text(3);
  row.subject = statement.text(4);
  VMPATCH_TRY(row.data, statement.json(5));
  VMPATCH_TRY(row.previous, Digest::parse(statement.text(6)));
  VMPATCH_TRY(row.digest, Digest::parse(statement.text(7)));
  return row;
}

/// The digest covers the JSON text, so a text that only parses to the same value is a change as well.
Result<AuditRow> read_checked_row(const Statement& statement) {
  auto row = read_row(statement);
  if (row && dump_json(row->data) == statement.text(5)) return row;
  return fail(Errc::untrusted, "audit row {} was changed: it is not in its canonical form", statement.integer(0));
}

Result<std::int64_t> last_given_sequence(Database& database) {
  VMPATCH_TRY(Statement statement, database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'audit'"));
  VMPATCH_TRY(const bool row, statement.step());
  return row ? statement.integer(0) : 0;
}

}  // namespace

Result<void> append_audit(Database& database, Time time, const std::string& who, const std::string& action,
                          const std::string& subject, const Json& data) {
  AuditRow row{.sequence = 1, .time = time, .actor = who, .action = action, .subject = subject, .data = data,
               .previous = {}, .digest = {}};
  {
    VMPATCH_TRY(Statement last, database.prepare("SELECT sequence, digest FROM audit ORDER BY sequence DESC LIMIT 1"));
    VMPATCH_TRY(const bool found, last.step());
    if (found) {
      row.sequence = last.integer(0) + 1;
      VMPATCH_TRY(row.previous, Digest::parse(last.text(1)));
    }
  }
  // What is stored is what was hashed, also where text had to be replaced because it is not UTF-8.
  const std::string text = dump_json(row.data);
  VMPATCH_TRY(row.data, parse_json(text, "audit data"));
  const std::string previous = row.previous.hex();
  const std::string digest = audit_digest(row).hex();
  VMPATCH_TRY(Statement insert, database.prepare("INSERT INTO audit (sequence, time, actor, action, subject, data, previous, "
                                                 "digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"));
  return insert.bind(row.sequence, row.time, row.actor, row.action, row.subject, text, previous, digest).run();
}

Result<std::vector<AuditRow>> load_audit(Database& database, std::int64_t first, std::size_t limit) {
  VMPATCH_TRY(Statement statement, database.prepare(select_rows));
  statement.bind(first, static_cast<std::int64_t>(limit));
  std::vector<AuditRow> rows;
  for (;;) {
    VMPATCH_TRY(const bool found, statement.step());
    if (!found) return rows;
    VMPATCH_TRY(AuditRow row, read_row(statement));
    rows.push_back(std::move(row));
  }
}

Result<std::int64_t> verify_audit_chain(Database& database) {
  VMPATCH_TRY(Statement statement, database.prepare(select_rows));
  statement.bind(std::int64_t{0}, std::int64_t{-1});
  std::optional<AuditRow> previous;
  std::int64_t count = 0;
  for (;; ++count) {
    VMPATCH_TRY(const bool found, statement.step());
    if (!found) break;
    VMPATCH_TRY(AuditRow row, read_checked_row(statement));
    VMPATCH_CHECK(check_audit_row(row, previous ? &*previous : nullptr));
    previous = std::move(row);
  }
  VMPATCH_TRY(const std::int64_t given, last_given_sequence(database));
  if (given != count) return fail(Errc::untrusted, "audit row {} is missing: the chain ends at row {}", count + 1, count);
  return count;
}

}  // namespace vmpatch::ledger
