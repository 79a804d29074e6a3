#include "ledger/sqlite/store.hpp"

#include "ledger/audit.hpp"
#include "ledger/sqlite/audit_chain.hpp"
#include "ledger/sqlite/migrate.hpp"
#include "ledger/sqlite/rows.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {

SqliteStore::SqliteStore(Database database, const Clock& clock) : database_(std::move(database)), clock_(clock), actor_(actor()) {}

Result<void> SqliteStore::note(const std::string& action, const std::string& subject, const Json& data) {
  return append_audit(database_, clock_.now(), actor_, action, subject, data);
}

Result<Store::Seen> SqliteStore::seen_recipe(const std::string& recipe_id) {
  const std::lock_guard lock(mutex_);
  VMPATCH_TRY(Statement statement, database_.prepare("SELECT version, digest FROM recipes WHERE id = ?"));
  VMPATCH_TRY(const bool found, statement.bind(recipe_id).step());
  if (!found) return Seen{};
  return Seen{static_cast<std::uint32_t>(statement.integer(0)), statement.text(1)};
}

Result<void> SqliteStore::note_recipe(const std::string& recipe_id, std::uint32_t version, const std::string& digest) {
  return write([&]() -> Result<void> {
    {
      VMPATCH_TRY(Statement upsert, database_.prepare("INSERT INTO recipes (id, version, digest) VALUES (?, ?, ?) ON CONFLICT (id) "
                                                      "DO UPDATE SET version = excluded.version, digest = excluded.digest "
                                                      "WHERE excluded.version > version"));
      VMPATCH_CHECK(upsert.bind(recipe_id, std::int64_t{version}, digest).run());
    }
    if (database_.changes() == 0) return {};
    return note("recipe.seen", recipe_id, {{"version", version}, {"digest", digest}});
  });
}

Result<void> SqliteStore::add_override(const Override& entry) {
  return write([&]() -> Result<void> {
    const Json data{{"override", entry.id}, {"reason", entry.reason}, {"expires", format_time(entry.expires)}};
    VMPATCH_CHECK(note("gate.override", entry.machine_uuid, data));
    VMPATCH_TRY(Statement insert, database_.prepare(fmt::format("INSERT INTO overrides ({}) VALUES (?, ?, ?, ?, ?, ?, ?)",
                                                                override_columns)));
    const std::string identities = dump_json(entry.identities);
    const std::string& who = entry.actor.empty() ? actor_ : entry.actor;
    return insert.bind(entry.id, entry.machine_uuid, identities, entry.reason, who, entry.created, entry.expires).run();
  });
}

Result<std::vector<Override>> SqliteStore::overrides(const std::string& machine_uuid) {
  const std::lock_guard lock(mutex_);
  VMPATCH_TRY(Statement statement, database_.prepare(fmt::format("SELECT {} FROM overrides WHERE machine_uuid = ? ORDER BY expires",
                                                                 override_columns)));
  statement.bind(machine_uuid);
  std::vector<Override> all;
  for (;;) {
    VMPATCH_TRY(const bool found, statement.step());
    if (!found) return all;
    VMPATCH_TRY(Override entry, read_override(statement));
    all.push_back(std::move(entry));
  }
}

Result<void> SqliteStore::publish_policy(const Json& policy, const Json& origin) {
  return write([&]() -> Result<void> {
    const std::string text = dump_json(policy);
    const std::string origin_text = dump_json(origin);
    {
      VMPATCH_TRY(Statement upsert,
                  database_.prepare("INSERT INTO policy (id, policy, origin, time) VALUES (1, ?, ?, ?) ON CONFLICT (id) DO "
                                    "UPDATE SET policy = excluded.policy, origin = excluded.origin, time = excluded.time"));
      VMPATCH_CHECK(upsert.bind(text, origin_text, clock_.now()).run());
    }
    return note("policy.published", "policy", {{"sha256", sha256(text).hex()}, {"origin", origin}});
  });
}

Result<std::optional<std::pair<Json, Json>>> SqliteStore::published_policy() {
  const std::lock_guard lock(mutex_);
  VMPATCH_TRY(Statement statement, database_.prepare("SELECT policy, origin FROM policy WHERE id = 1"));
  VMPATCH_TRY(const bool found, statement.step());
  if (!found) return std::optional<std::pair<Json, Json>>();
  VMPATCH_TRY(Json policy, statement.json(0));
  VMPATCH_TRY(Json origin, statement.json(1));
  return std::optional(std::pair(std::move(policy), std::move(origin)));
}

Result<void> SqliteStore::audit(const std::string& action, const std::string& subject, const Json& data) {
  return write([&] { return note(action, subject, data); });
}

Result<std::vector<AuditRow>> SqliteStore::audit_rows(std::int64_t first, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  return load_audit(database_, first, limit);
}

Result<std::int64_t> SqliteStore::verify_audit() {
  const std::lock_guard lock(mutex_);
  return verify_audit_chain(database_);
}

Result<std::unique_ptr<Store>> open_store(const std::filesystem::path& file, const Clock& clock) {
  VMPATCH_TRY(Database database, Database::open(file, {}));
  VMPATCH_CHECK(migrate(database, ledger_migrations()));
  return std::unique_ptr<Store>(std::make_unique<SqliteStore>(std::move(database), clock));
}

}  // namespace vmpatch::ledger
