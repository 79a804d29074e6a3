#include "ledger/sqlite/store.hpp"

#include "ledger/sqlite/audit_chain.hpp"
#include "ledger/sqlite/examine.hpp"
#include "ledger/sqlite/rows.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {

Result<Store::Seen> SqliteStore::seen_recipe(const std::string& recipe_id) {
  return ask([&]() -> Result<Seen> {
    VMPATCH_TRY(const auto row, sealed_.load_key(kinds::recipe, recipe_id, "recipe/" + recipe_id, {"id = ?", {recipe_id}}));
    if (!row) return Seen{};
    return Seen{static_cast<std::uint32_t>(row->integer(1)), row->text(2)};
  });
}

Result<void> SqliteStore::note_recipe(const std::string& recipe_id, std::uint32_t version, const std::string& digest) {
  return write([&]() -> Result<void> {
    VMPATCH_TRY(const Seen seen, seen_recipe(recipe_id));
    if (seen.version >= version) return {};
    VMPATCH_CHECK(sealed_.change(kinds::recipe, {"id = ?", {recipe_id}}, [&]() -> Result<void> {
      VMPATCH_TRY(Statement upsert, database().prepare("INSERT OR REPLACE INTO recipes (id, version, digest) VALUES (?, ?, ?)"));
      return upsert.bind(recipe_id, std::int64_t{version}, digest).run();
    }));
    return note("recipe.seen", recipe_id, {{"version", version}, {"digest", digest}});
  });
}

Result<void> SqliteStore::add_override(const Override& entry) {
  return write([&]() -> Result<void> {
    VMPATCH_CHECK(sealed_.change(kinds::override_entry, {"id = ?", {entry.id}}, [&]() -> Result<void> {
      VMPATCH_TRY(Statement insert, database().prepare(fmt::format("INSERT INTO overrides ({}) VALUES (?, ?, ?, ?, ?, ?, ?)",
                                                                   override_columns)));
      const std::string identities = dump_json(entry.identities);
      const std::string& who = entry.actor.empty() ? sealed_.actor() : entry.actor;
      return insert.bind(entry.id, entry.machine_uuid, identities, entry.reason, who, entry.created, entry.expires).run();
    }));
    return note("gate.override", entry.machine_uuid,
                {{"override", entry.id}, {"reason", entry.reason}, {"expires", format_time(entry.expires)}});
  });
}

Result<std::vector<Override>> SqliteStore::overrides(const std::string& machine_uuid) {
  return ask([&]() -> Result<std::vector<Override>> {
    VMPATCH_TRY(const Rows rows, sealed_.load_prefix(kinds::override_entry, machine_uuid, "override/" + machine_uuid + "/",
                                                     {"machine_uuid = ? ORDER BY expires", {machine_uuid}}));
    return read_each(rows, read_override);
  });
}

Result<void> SqliteStore::publish_policy(const Json& policy, const Json& origin) {
  return write([&]() -> Result<void> {
    const std::string text = dump_json(policy);
    const std::string origin_text = dump_json(origin);
    VMPATCH_CHECK(sealed_.change(kinds::policy, {"id = 1"}, [&]() -> Result<void> {
      VMPATCH_TRY(Statement upsert, database().prepare("INSERT OR REPLACE INTO policy (id, policy, origin, time) VALUES (1, ?, ?, ?)"));
      return upsert.bind(text, origin_text, clock_.now()).run();
    }));
    return note("policy.published", "policy", {{"sha256", sha256(text).hex()}, {"origin", origin}});
  });
}

Result<std::optional<std::pair<Json, Json>>> SqliteStore::published_policy() {
  return ask([&]() -> Result<std::optional<std::pair<Json, Json>>> {
    VMPATCH_TRY(const auto row, sealed_.load_key(kinds::policy, "policy", "policy", {"id = 1"}));
    if (!row || row->text(1) == lost_policy) return std::optional<std::pair<Json, Json>>();
    VMPATCH_TRY(Json policy, row->json(1));
    VMPATCH_TRY(Json origin, row->json(2));
    return std::optional(std::pair(std::move(policy), std::move(origin)));
  });
}

Result<void> SqliteStore::audit(const std::string& action, const std::string& subject, const Json& data) {
  return write([&] { return note(action, subject, data); });
}

Result<std::vector<AuditRow>> SqliteStore::audit_rows(std::int64_t first, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  return load_audit(database(), first, limit);
}

Result<std::int64_t> SqliteStore::verify_audit() {
  const std::lock_guard lock(mutex_);
  return verify_database(sealed_);
}

Result<std::unique_ptr<Store>> open_store(const std::filesystem::path& file, const Clock& clock, const StoreOptions& options) {
  VMPATCH_TRY(SealedDatabase sealed, SealedDatabase::open(file, ledger_schema(), {.create = options.create}));
  sealed.announce_to(options.announce, options.not_anchored);
  return std::unique_ptr<Store>(std::make_unique<SqliteStore>(std::move(sealed), clock));
}

}  // namespace vmpatch::ledger
