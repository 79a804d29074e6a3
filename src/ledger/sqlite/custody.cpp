#include <mutex>

#include "ledger/audit.hpp"
#include "ledger/sqlite/audit_chain.hpp"
#include "ledger/sqlite/migrate.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/ledger/gate_view.hpp"

namespace vmpatch::ledger {
namespace {

/// Text of a column that is '' for null.
std::string optional_text(const Json& json) { return json.is_null() ? std::string() : dump_json(json); }

Result<Json> optional_json(const Statement& s, int column) {
  if (s.text(column).empty()) return Json();
  return s.json(column);
}

class SqliteCustody final : public CustodyStore {
 public:
  explicit SqliteCustody(Database database) : database_(std::move(database)), actor_(actor()) {}

  Result<void> together(const std::function<Result<void>()>& work) override { return write(work); }
  Result<std::optional<Custody>> last(const std::string& machine_uuid) override;
  Result<void> put(const Custody& custody) override;
  Result<void> put_restore(const PendingRestore& restore) override;
  Result<std::optional<PendingRestore>> restore(const std::string& machine_uuid) override;
  Result<void> drop_restore(const std::string& machine_uuid) override;
  Result<void> put_saved(const std::string& machine_uuid, const SavedMemory& saved) override;
  Result<std::optional<SavedMemory>> saved(const std::string& machine_uuid) override;
  Result<void> forget_memory(const std::string& machine_uuid, const std::string& reason, Time time) override;
  Result<void> record(const std::string& action, const std::string& subject, const Json& data, Time time) override {
    return write([&] { return append_audit(database_, time, actor_, action, subject, data); });
  }
  Result<std::vector<AuditRow>> records(std::int64_t first, std::size_t limit) override {
    const std::lock_guard lock(mutex_);
    return load_audit(database_, first, limit);
  }
  Result<std::int64_t> verify() override {
    const std::lock_guard lock(mutex_);
    return verify_audit_chain(database_);
  }
  Result<void> use_override(const std::string& override_id, Time time) override;
  Result<std::vector<std::string>> used_overrides() override;
  Result<void> queue_rescan(const std::string& machine_uuid, const std::string& reason, Time time) override;
  Result<std::vector<Rescan>> rescans() override;

 private:
  Result<void> write(const std::function<Result<void>()>& work) {
    const std::lock_guard lock(mutex_);
    return database_.transaction(work);
  }

  Database database_;
  std::string actor_;
  std::recursive_mutex mutex_;  ///< together() calls back into the other methods
};

Result<std::optional<Custody>> SqliteCustody::last(const std::string& machine_uuid) {
  const std::lock_guard lock(mutex_);
  VMPATCH_TRY(Statement s, database_.prepare("SELECT boot_id, opened, started, closed, identities, operation, unbroken, lost, "
                                             "live FROM custody WHERE machine_uuid = ?"));
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
  return std::optional(std::move(custody));
}

Result<void> SqliteCustody::put(const Custody& c) {
  return write([&]() -> Result<void> {
    VMPATCH_TRY(Statement s, database_.prepare("INSERT OR REPLACE INTO custody (machine_uuid, boot_id, opened, started, closed, "
                                               "identities, operation, unbroken, lost, live) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    const std::string identities = dump_json(c.identities);
    const std::string live = optional_text(c.live);
    return s
        .bind(c.machine_uuid, c.boot_id, c.opened, std::int64_t{c.started}, c.closed, identities, c.operation,
              std::int64_t{c.unbroken}, std::int64_t{c.lost}, live)
        .run();
  });
}

Result<void> SqliteCustody::put_restore(const PendingRestore& restore) {
  return write([&]() -> Result<void> {
    VMPATCH_TRY(Statement s, database_.prepare("INSERT OR REPLACE INTO restores (machine_uuid, boot_id, opened, identities, live, "
                                               "unbroken, override_id) VALUES (?, ?, ?, ?, ?, ?, ?)"));
    const Custody& c = restore.custody;
    const std::string identities = dump_json(c.identities);
    const std::string live = optional_text(c.live);
    return s.bind(c.machine_uuid, c.boot_id, c.opened, identities, live, std::int64_t{c.unbroken}, restore.override_id.value_or("")).run();
  });
}

Result<std::optional<PendingRestore>> SqliteCustody::restore(const std::string& machine_uuid) {
  const std::lock_guard lock(mutex_);
  VMPATCH_TRY(Statement s, database_.prepare("SELECT boot_id, opened, identities, live, unbroken, override_id FROM restores "
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
}

Result<void> SqliteCustody::drop_restore(const std::string& machine_uuid) {
  return write([&]() -> Result<void> {
    VMPATCH_TRY(Statement s, database_.prepare("DELETE FROM restores WHERE machine_uuid = ?"));
    return s.bind(machine_uuid).run();
  });
}

Result<void> SqliteCustody::put_saved(const std::string& machine_uuid, const SavedMemory& saved) {
  return write([&]() -> Result<void> {
    VMPATCH_TRY(Statement s, database_.prepare("INSERT OR REPLACE INTO saved (machine_uuid, identities, time, memory, managed) "
                                               "VALUES (?, ?, ?, ?, ?)"));
    const std::string text = dump_json(saved.identities);
    return s.bind(machine_uuid, text, saved.time, std::int64_t{saved.memory}, std::int64_t{saved.memory && saved.managed}).run();
  });
}

Result<std::optional<SavedMemory>> SqliteCustody::saved(const std::string& machine_uuid) {
  const std::lock_guard lock(mutex_);
  VMPATCH_TRY(Statement s, database_.prepare("SELECT identities, time, memory, managed FROM saved WHERE machine_uuid = ?"));
  VMPATCH_TRY(const bool found, s.bind(machine_uuid).step());
  if (!found) return std::optional<SavedMemory>();
  SavedMemory saved;
  VMPATCH_TRY(saved.identities, s.json(0));
  saved.time = s.time(1);
  saved.memory = s.integer(2) != 0;
  saved.managed = s.integer(3) != 0;
  return std::optional(std::move(saved));
}

Result<void> SqliteCustody::forget_memory(const std::string& machine_uuid, const std::string& reason, Time time) {
  return write([&]() -> Result<void> {
    VMPATCH_TRY(const auto before, saved(machine_uuid));
    if (!before || !before->memory) return {};
    {
      VMPATCH_TRY(Statement s, database_.prepare("UPDATE saved SET memory = 0, managed = 0 WHERE machine_uuid = ?"));
      VMPATCH_CHECK(s.bind(machine_uuid).run());
    }
    return record("gate.forget-save", machine_uuid, {{"reason", reason}, {"saved", format_time(before->time)}}, time);
  });
}

Result<void> SqliteCustody::use_override(const std::string& override_id, Time time) {
  return write([&]() -> Result<void> {
    {
      VMPATCH_TRY(Statement s, database_.prepare("INSERT OR IGNORE INTO used_overrides (id, time) VALUES (?, ?)"));
      VMPATCH_CHECK(s.bind(override_id, time).run());
    }
    if (database_.changes() == 0) return fail(Errc::refused, "override {} was used already", override_id);
    return {};
  });
}

Result<std::vector<std::string>> SqliteCustody::used_overrides() {
  const std::lock_guard lock(mutex_);
  VMPATCH_TRY(Statement s, database_.prepare("SELECT id FROM used_overrides"));
  std::vector<std::string> all;
  for (;;) {
    VMPATCH_TRY(const bool found, s.step());
    if (!found) return all;
    all.push_back(s.text(0));
  }
}

Result<void> SqliteCustody::queue_rescan(const std::string& machine_uuid, const std::string& reason, Time time) {
  return write([&]() -> Result<void> {
    VMPATCH_TRY(Statement s, database_.prepare("INSERT OR REPLACE INTO rescans (machine_uuid, reason, time) VALUES (?, ?, ?)"));
    return s.bind(machine_uuid, reason, time).run();
  });
}

Result<std::vector<Rescan>> SqliteCustody::rescans() {
  const std::lock_guard lock(mutex_);
  VMPATCH_TRY(Statement s, database_.prepare("SELECT machine_uuid, reason, time FROM rescans ORDER BY time, machine_uuid"));
  std::vector<Rescan> all;
  for (;;) {
    VMPATCH_TRY(const bool found, s.step());
    if (!found) return all;
    all.push_back({s.text(0), s.text(1), s.time(2)});
  }
}

}  // namespace

Result<std::unique_ptr<CustodyStore>> CustodyStore::open(const std::filesystem::path& file, const CustodyOptions& options) {
  VMPATCH_TRY(Database database,
              Database::open(file, {.mode = Database::Mode::read_write, .busy_timeout_ms = options.busy_timeout_ms,
                                    .checkpoint_on_close = options.checkpoint}));
  if (!options.checkpoint) VMPATCH_CHECK(database.set_auto_checkpoint(0));
  VMPATCH_CHECK(migrate(database, custody_migrations()));
  return std::unique_ptr<CustodyStore>(std::make_unique<SqliteCustody>(std::move(database)));
}

}  // namespace vmpatch::ledger
