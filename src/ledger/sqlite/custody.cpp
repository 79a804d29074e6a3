#include "ledger/sqlite/custody.hpp"

#include "ledger/sqlite/audit_chain.hpp"
#include "ledger/sqlite/examine.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {
namespace {

/// Text of a column that is '' for null.
std::string optional_text(const Json& json) { return json.is_null() ? std::string() : dump_json(json); }

Result<Json> optional_json(const Row& row, std::size_t column) {
  if (row.text(column).empty()) return Json();
  return row.json(column);
}

}  // namespace

Result<std::optional<Custody>> SqliteCustody::last(const std::string& machine_uuid) {
  return ask([&]() -> Result<std::optional<Custody>> {
    VMPATCH_TRY(const auto row, load(kinds::custody, machine_uuid));
    if (!row) return std::optional<Custody>();
    Custody custody;
    custody.machine_uuid = machine_uuid;
    custody.boot_id = row->text(1);
    custody.opened = row->time(2);
    custody.started = row->integer(3) != 0;
    if (!row->is_null(4)) custody.closed = row->time(4);
    VMPATCH_TRY(custody.identities, row->json(5));
    custody.operation = row->text(6);
    custody.unbroken = row->integer(7) != 0;
    custody.lost = row->integer(8) != 0;
    VMPATCH_TRY(custody.live, optional_json(*row, 9));
    if (!row->is_null(10)) custody.attested = row->time(10);
    return std::optional(std::move(custody));
  });
}

Result<void> SqliteCustody::put(const Custody& c) {
  return replace(kinds::custody, c.machine_uuid, [&]() -> Result<void> {
    VMPATCH_TRY(Statement s, database().prepare("INSERT OR REPLACE INTO custody (machine_uuid, boot_id, opened, started, closed, "
                                                "identities, operation, unbroken, lost, live, attested) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                                                "?)"));
    const std::string identities = dump_json(c.identities);
    const std::string live = optional_text(c.live);
    return s
        .bind(c.machine_uuid, c.boot_id, c.opened, std::int64_t{c.started}, c.closed, identities, c.operation,
              std::int64_t{c.unbroken}, std::int64_t{c.lost}, live, c.attested)
        .run();
  });
}

Result<void> SqliteCustody::put_restore(const PendingRestore& restore) {
  const Custody& c = restore.custody;
  return replace(kinds::restore, c.machine_uuid, [&]() -> Result<void> {
    VMPATCH_TRY(Statement s, database().prepare("INSERT OR REPLACE INTO restores (machine_uuid, boot_id, opened, identities, live, "
                                                "unbroken, override_id) VALUES (?, ?, ?, ?, ?, ?, ?)"));
    const std::string identities = dump_json(c.identities);
    const std::string live = optional_text(c.live);
    return s.bind(c.machine_uuid, c.boot_id, c.opened, identities, live, std::int64_t{c.unbroken}, restore.override_id.value_or("")).run();
  });
}

Result<std::optional<PendingRestore>> SqliteCustody::restore(const std::string& machine_uuid) {
  return ask([&]() -> Result<std::optional<PendingRestore>> {
    VMPATCH_TRY(const auto row, load(kinds::restore, machine_uuid));
    if (!row) return std::optional<PendingRestore>();
    PendingRestore restore;
    restore.custody.machine_uuid = machine_uuid;
    restore.custody.operation = "restore";
    restore.custody.boot_id = row->text(1);
    restore.custody.opened = row->time(2);
    VMPATCH_TRY(restore.custody.identities, row->json(3));
    VMPATCH_TRY(restore.custody.live, optional_json(*row, 4));
    restore.custody.unbroken = row->integer(5) != 0;
    if (const std::string& id = row->text(6); !id.empty()) restore.override_id = id;
    return std::optional(std::move(restore));
  });
}

Result<void> SqliteCustody::drop_restore(const std::string& machine_uuid) {
  return replace(kinds::restore, machine_uuid, [&]() -> Result<void> {
    VMPATCH_TRY(Statement s, database().prepare("DELETE FROM restores WHERE machine_uuid = ?"));
    return s.bind(machine_uuid).run();
  });
}

Result<std::vector<AuditRow>> SqliteCustody::records(std::int64_t first, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  return load_audit(database(), first, limit);
}

Result<std::int64_t> SqliteCustody::verify() {
  const std::lock_guard lock(mutex_);
  return verify_database(sealed_);
}

Result<std::unique_ptr<CustodyStore>> CustodyStore::open(const std::filesystem::path& file, const CustodyOptions& options) {
  VMPATCH_TRY(SealedDatabase sealed,
              SealedDatabase::open(file, custody_schema(),
                                   {.mode = Database::Mode::read_write, .busy_timeout_ms = options.busy_timeout_ms,
                                    .create = options.create, .checkpoint_on_close = options.checkpoint}));
  if (!options.checkpoint) VMPATCH_CHECK(sealed.database().set_auto_checkpoint(0));
  return std::unique_ptr<CustodyStore>(std::make_unique<SqliteCustody>(std::move(sealed)));
}

}  // namespace vmpatch::ledger
