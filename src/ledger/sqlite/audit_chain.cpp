#include "ledger/sqlite/audit_chain.hpp"

#include "ledger/audit.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {
namespace {

constexpr std::string_view select_rows =
    "SELECT sequence, time, actor, action, subject, data, previous, digest, records FROM audit WHERE sequence >= ? "
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
  if (const std::string records = statement.text(8); !records.empty()) {
    VMPATCH_TRY(row.records, Digest::parse(records));
  }
  return row;
}

/// The digest covers the JSON text, so a text that only parses to the same value is a change as well.
Result<AuditRow> read_checked_row(const Statement& statement) {
  auto row = read_row(statement);
  if (row && dump_json(row->data) == statement.text(5)) return row;
  return fail(Errc::untrusted, "audit row {} was changed: it is not in its canonical form", statement.integer(0));
}

}  // namespace

Result<std::int64_t> last_given_sequence(Database& database) {
  VMPATCH_TRY(Statement statement, database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'audit'"));
  VMPATCH_TRY(const bool row, statement.step());
  return row ? statement.integer(0) : 0;
}

Result<void> set_last_given_sequence(Database& database, std::int64_t sequence) {
  VMPATCH_TRY(Statement statement, database.prepare("UPDATE sqlite_sequence SET seq = ? WHERE name = 'audit'"));
  return statement.bind(sequence).run();
}

Result<std::optional<Head>> last_audit_row(Database& database) {
  VMPATCH_TRY(Statement statement, database.prepare("SELECT sequence, digest, time FROM audit ORDER BY sequence DESC LIMIT 1"));
  VMPATCH_TRY(const bool found, statement.step());
  if (!found) return std::optional<Head>();
  Head head{.chain = {}, .sequence = statement.integer(0), .digest = {}, .time = statement.time(2)};
  // A text that is no digest any more is followed by the row that accepts it all the same.
  if (const auto digest = Digest::parse(statement.text(1))) head.digest = *digest;
  return std::optional(std::move(head));
}

Result<AuditRow> append_audit(Database& database, AuditRow row) {
  // What is stored is what was hashed, also where text had to be replaced because it is not UTF-8.
  const std::string text = dump_json(row.data);
  VMPATCH_TRY(row.data, parse_json(text, "audit data"));
  row.digest = audit_digest(row);
  const std::string previous = row.previous.hex();
  const std::string digest = row.digest.hex();
  const std::string records = row.records ? row.records->hex() : "";
  VMPATCH_TRY(Statement insert, database.prepare("INSERT INTO audit (sequence, time, actor, action, subject, data, previous, digest, "
                                                 "records) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  VMPATCH_CHECK(insert.bind(row.sequence, row.time, row.actor, row.action, row.subject, text, previous, digest, records).run());
  return row;
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

Result<void> each_audit_row(Database& database, std::int64_t first, const VisitRow& visit) {
  VMPATCH_TRY(Statement statement, database.prepare(select_rows));
  statement.bind(first, std::int64_t{-1});
  std::optional<AuditRow> previous;
  for (;;) {
    VMPATCH_TRY(const bool found, statement.step());
    if (!found) return {};
    Result<AuditRow> row = read_checked_row(statement);
    VMPATCH_CHECK(visit(row, previous ? &*previous : nullptr));
    if (row) {
      previous = std::move(*row);
    } else {
      previous.reset();
    }
  }
}

}  // namespace vmpatch::ledger
