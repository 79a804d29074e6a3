#include <mutex>

#include "ledger/sqlite/audit_chain.hpp"
#include "ledger/sqlite/examine.hpp"
#include "ledger/sqlite/sealed_database.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/ledger/gate_view.hpp"

namespace vmpatch::ledger {
namespace {

class SqliteCustody final : public CustodyStore {
 public:
  explicit SqliteCustody(SealedDatabase sealed) : sealed_(std::move(sealed)) {}

  Result<void> together(const std::function<Result<void>()>& work) override { return write(work); }
  Result<std::optional<Custody>> last(const std::string& machine_uuid) override;
  Result<void> put(const Custody& custody) override;
  Result<void> put_saved(const std::string& machine_uuid, const Json& identities, Time time) override;
  Result<std::optional<Json>> saved(const std::string& machine_uuid) override;
  Result<void> record(const std::string& action, const std::string& subject, const Json& data, Time time) override {
    return write([&] { return sealed_.note(time, action, subject, data); });
  }
  Result<std::vector<AuditRow>> records(std::int64_t first, std::size_t limit) override {
    const std::lock_guard lock(mutex_);
    return load_audit(database(), first, limit);
  }
  Result<std::int64_t> verify() override {
    const std::lock_guard lock(mutex_);
    return verify_database(sealed_);
  }
  Result<void> use_override(const std::string& override_id, Time time) override;
  Result<std::vector<std::string>> used_overrides() override;
  Result<void> queue_rescan(const std::string& machine_uuid, const std::string& reason, Time time) override;
  Result<std::vector<Rescan>> rescans() override;

 private:
  Result<void> write(const std::function<Result<void>()>& work) {
    const std::lock_guard lock(mutex_);
    return sealed_.write(work);
  }
  template <class Ask>
  auto ask(Ask work) -> decltype(work()) {
    const std::lock_guard lock(mutex_);
    return sealed_.ask(work);
  }
  /// Replaces the machine's record.
  Result<void> replace(const RecordKind& kind, const std::string& machine_uuid, const std::function<Result<void>()>& work) {
    return write([&] { return sealed_.change(kind, {"machine_uuid = ?", {machine_uuid}}, work); });
  }
  /// Inside ask().
  Result<void> check(const RecordKind& kind, const std::string& machine_uuid) {
    return sealed_.check_key(kind, machine_uuid, fmt::format("{}/{}", kind.name, machine_uuid), {"machine_uuid = ?", {machine_uuid}});
  }
  Database& database() { return sealed_.database(); }

  SealedDatabase sealed_;
  std::recursive_mutex mutex_;  ///< together() calls back into the other methods
};

Result<std::optional<Custody>> SqliteCustody::last(const std::string& machine_uuid) {
  return ask([&]() -> Result<std::optional<Custody>> {
    VMPATCH_CHECK(check(kinds::custody, machine_uuid));
    VMPATCH_TRY(Statement s, database().prepare("SELECT boot_id, opened, started, closed, identities, operation, unbroken, lost "
                                                "FROM custody WHERE machine_uuid = ?"));
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
    return std::optional(std::move(custody));
  });
}

Result<void> SqliteCustody::put(const Custody& c) {
  return replace(kinds::custody, c.machine_uuid, [&]() -> Result<void> {
    VMPATCH_TRY(Statement s, database().prepare("INSERT OR REPLACE INTO custody (machine_uuid, boot_id, opened, started, closed, "
                                                "identities, operation, unbroken, lost) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    const std::string identities = dump_json(c.identities);
    return s
        .bind(c.machine_uuid, c.boot_id, c.opened, std::int64_t{c.started}, c.closed, identities, c.operation,
              std::int64_t{c.unbroken}, std::int64_t{c.lost})
        .run();
  });
}

Result<void> SqliteCustody::put_saved(const std::string& machine_uuid, const Json& identities, Time time) {
  return replace(kinds::saved, machine_uuid, [&]() -> Result<void> {
    VMPATCH_TRY(Statement s, database().prepare("INSERT OR REPLACE INTO saved (machine_uuid, identities, time) VALUES (?, ?, ?)"));
    const std::string text = dump_json(identities);
    return s.bind(machine_uuid, text, time).run();
  });
}

Result<std::optional<Json>> SqliteCustody::saved(const std::string& machine_uuid) {
  return ask([&]() -> Result<std::optional<Json>> {
    VMPATCH_CHECK(check(kinds::saved, machine_uuid));
    VMPATCH_TRY(Statement s, database().prepare("SELECT identities FROM saved WHERE machine_uuid = ?"));
    VMPATCH_TRY(const bool found, s.bind(machine_uuid).step());
    if (!found) return std::optional<Json>();
    VMPATCH_TRY(Json identities, s.json(0));
    return std::optional(std::move(identities));
  });
}

Result<void> SqliteCustody::use_override(const std::string& override_id, Time time) {
  return write([&]() -> Result<void> {
    const Which which{"id = ?", {override_id}};
    VMPATCH_CHECK(sealed_.check_key(kinds::used_override, "used", "used/" + override_id, which));
    VMPATCH_CHECK(sealed_.change(kinds::used_override, which, [&]() -> Result<void> {
      VMPATCH_TRY(Statement s, database().prepare("INSERT OR IGNORE INTO used_overrides (id, time) VALUES (?, ?)"));
      return s.bind(override_id, time).run();
    }));
    if (database().changes() == 0) return fail(Errc::refused, "override {} was used already", override_id);
    return {};
  });
}

Result<std::vector<std::string>> SqliteCustody::used_overrides() {
  return ask([&]() -> Result<std::vector<std::string>> {
    VMPATCH_CHECK(sealed_.check_prefix(kinds::used_override, "used", "used/", {"1"}));
    VMPATCH_TRY(Statement s, database().prepare("SELECT id FROM used_overrides"));
    std::vector<std::string> all;
    for (;;) {
      VMPATCH_TRY(const bool found, s.step());
      if (!found) return all;
      all.push_back(s.text(0));
    }
  });
}

Result<void> SqliteCustody::queue_rescan(const std::string& machine_uuid, const std::string& reason, Time time) {
  return replace(kinds::rescan, machine_uuid, [&]() -> Result<void> {
    VMPATCH_TRY(Statement s, database().prepare("INSERT OR REPLACE INTO rescans (machine_uuid, reason, time) VALUES (?, ?, ?)"));
    return s.bind(machine_uuid, reason, time).run();
  });
}

Result<std::vector<Rescan>> SqliteCustody::rescans() {
  return ask([&]() -> Result<std::vector<Rescan>> {
    VMPATCH_CHECK(sealed_.check_all(kinds::rescan));
    VMPATCH_TRY(Statement s, database().prepare("SELECT machine_uuid, reason, time FROM rescans ORDER BY time, machine_uuid"));
    std::vector<Rescan> all;
    for (;;) {
      VMPATCH_TRY(const bool found, s.step());
      if (!found) return all;
      all.push_back({s.text(0), s.text(1), s.time(2)});
    }
  });
}

}  // namespace

Result<std::unique_ptr<CustodyStore>> CustodyStore::open(const std::filesystem::path& file, const CustodyOptions& options) {
  VMPATCH_TRY(SealedDatabase sealed,
              SealedDatabase::open(file, custody_schema(),
                                   {.mode = Database::Mode::read_write, .busy_timeout_ms = options.busy_timeout_ms,
                                    .create = options.create, .checkpoint_on_close = options.checkpoint}));
  if (!options.checkpoint) VMPATCH_CHECK(sealed.database().set_auto_checkpoint(0));
  return std::unique_ptr<CustodyStore>(std::make_unique<SqliteCustody>(std::move(sealed)));
}

}  // namespace vmpatch::ledger
