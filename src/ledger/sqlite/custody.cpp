#include "ledger/sqlite/custody.hpp"

#include "ledger/sqlite/audit_chain.hpp"
#include "ledger/sqlite/examine.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {
namespace {

/// Text of a column that is '' for null.
std::string optional_text(const Json& json) { return json.is_null() ? std::string() : dump_json(json); }

Result<Json> optional_json(const Statement& s, int column) {
  if (s.text(column).empty()) return Json();
  return s.json(column);
}

}  // namespace

Result<std::optional<Custody>> SqliteCustody::last(const std::string& machine_uuid) {
  return ask([&]() -> Result<std::optional<Custody>> {
    VMPATCH_CHECK(check(kinds::custody, machine_uuid));
    VMPATCH_TRY(Statement s, database().prepare("SELECT boot_id, opened, started, closed, identities, operation, unbroken, lost, "
                                                "live, attested FROM custody WHERE machine_uuid = ?"));
    VMPATCH_TRY(const bool found, s.bind(machine_uuid).step());
    if (!found) return std::optional<Custody>();
    Custody custody;
    custody.machine_uuid = machine_uuid;
    custody.boot_id = s.text(0);
    custody.opened = s.time(1);
    custody.started = s.integer(2) != 0;
    if (!s.is_null(3)) custody.closed = s.time(3);
    VMPATCH_TRY(custody.identities, s.json(4));
    custody.operation = s.text(5);
    custody.unbroken = s.integer(6) != 0;
    custody.lost = s.integer(7) != 0;
    VMPATCH_TRY(custody.live, optional_json(s, 8));
    if (!s.is_null(9)) custody.attested = s.time(9);
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
    VMPATCH_CHECK(check(kinds::restore, machine_uuid));
    VMPATCH_TRY(Statement s, database().prepare("SELECT boot_id, opened, identities, live, unbroken, override_id FROM restores "
                                                "WHERE machine_uuid = ?"));
    VMPATCH_TRY(const bool found, s.bind(machine_uuid).step());
    if (!found) return std::optional<PendingRestore>();
    PendingRestore restore;
    restore.custody.machine_uuid = machine_uuid;
    restore.custody.operation = "restore";
    restore.custody.boot_id = s.text(0);
    restore.custody.opened = s.time(1);
    VMPATCH_TRY(restore.custody.identities, s.json(2));
    VMPATCH_TRY(restore.custody.live, optional_json(s, 3));
    restore.custody.unbroken = s.integer(4) != 0;
    if (auto id = s.text(5); !id.empty()) restore.override_id = std::move(id);
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
