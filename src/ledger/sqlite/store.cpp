#include <mutex>

#include "ledger/audit.hpp"
#include "ledger/sqlite/audit_chain.hpp"
#include "ledger/sqlite/migrate.hpp"
#include "ledger/sqlite/rows.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/ledger/store.hpp"

namespace vmpatch::ledger {
namespace {

constexpr std::string_view holds_lease =
    "machine_uuid = ? AND state IN ('leased', 'staged', 'patched', 'verified', 'committing', 'committed', 'quarantined')";
constexpr std::string_view attestation_columns = "machine_uuid, machine_name, run_id, time, identities, satisfied, envelope";

class SqliteStore final : public Store {
 public:
  SqliteStore(Database database, const Clock& clock) : database_(std::move(database)), clock_(clock), actor_(actor()) {}

  Result<void> create_run(const Run& run) override;
  Result<void> lease(const std::string& run_id, const Holder& holder) override;
  Result<void> advance(const std::string& run_id, RunState from, RunState to, const Json& detail,
                       const std::string& error) override;
  Result<void> adopt(const std::string& run_id, const Holder& holder) override;
  Result<std::vector<Run>> runs(const RunFilter& filter) override;
  Result<void> attest(const std::string& run_id, const Attestation& attestation) override;
  Result<void> attest_checked(const Attestation& attestation) override;
  Result<std::optional<Attestation>> attestation(const std::string& machine_uuid) override;
  Result<std::vector<Attestation>> attestations() override;
  Result<Seen> seen_recipe(const std::string& recipe_id) override;
  Result<void> note_recipe(const std::string& recipe_id, std::uint32_t version, const std::string& digest) override;
  Result<void> add_override(const Override& entry) override;
  Result<std::vector<Override>> overrides(const std::string& machine_uuid) override;
  Result<void> publish_policy(const Json& policy, const Json& origin) override;
  Result<std::optional<std::pair<Json, Json>>> published_policy() override;
  Result<void> audit(const std::string& action, const std::string& subject, const Json& data) override;
  Result<std::vector<AuditRow>> audit_rows(std::int64_t first, std::size_t limit) override;
  Result<std::int64_t> verify_audit() override;

 private:
  Result<void> write(const std::function<Result<void>()>& work) {
    const std::lock_guard lock(mutex_);
    return database_.transaction(work);
  }
  Result<void> note(const std::string& action, const std::string& subject, const Json& data) {
    return append_audit(database_, clock_.now(), actor_, action, subject, data);
  }
  Result<Run> load_run(const std::string& run_id);
  Result<void> set_state(const Run& run, RunState to, const Json& detail, const std::string& error);
  Result<void> set_holder(const std::string& run_id, const Holder& holder);
  Result<void> save_attestation(const Attestation& attestation, const std::string& action, const std::string& subject);

  Database database_;
  const Clock& clock_;
  std::string actor_;
  std::mutex mutex_;  ///< a connection has one transaction at a time
};

Error held_by(const Run& other) {
  const std::string name = escape_untrusted(other.machine_name);
  if (other.state == RunState::quarantined) {
    return fail(Errc::recovery_needed, "machine {} is quarantined by run {}: {}; run `vm-patch recover`", name, other.id,
                other.error.empty() ? "its disks may be between old and new" : escape_untrusted(other.error));
  }
  if (is_alive(other.holder)) {
    return fail(Errc::busy, "machine {} is held by run {} (process {}, state {}); wait for it to end", name, other.id,
                other.holder.pid, to_string(other.state));
  }
  return fail(Errc::recovery_needed, "run {} on machine {} was interrupted in state {} (process {} is gone); run `vm-patch recover`",
              other.id, name, to_string(other.state), other.holder.pid);
}

Json run_summary(const Run& run) {
  return {{"machine", run.machine_uuid}, {"name", run.machine_name}, {"kind", run.kind}, {"recipe", run.recipe_id},
          {"version", run.recipe_version}, {"digest", run.recipe_digest}};
}

Json holder_json(const Holder& holder) {
  return {{"pid", holder.pid}, {"start_time", holder.start_time}, {"boot_id", holder.boot_id}};
}

Result<Run> SqliteStore::load_run(const std::string& run_id) {
  VMPATCH_TRY(auto found, select_runs(database_, "id = ?", run_id, 1));
  if (found.empty()) return fail(Errc::not_found, "there is no run {} in {}", escape_untrusted(run_id), database_.file());
  return std::move(found.front());
}

Result<void> SqliteStore::create_run(const Run& run) {
  if (run.state != RunState::planned) return fail(Errc::failed, "run {} must begin as planned", run.id);
  return write([&]() -> Result<void> {
    Run stamped = run;
    if (stamped.created == Time{}) stamped.created = clock_.now();
    if (stamped.updated == Time{}) stamped.updated = stamped.created;
    VMPATCH_CHECK(insert_run(database_, stamped));
    return note("run.planned", run.id, run_summary(run));
  });
}

Result<void> SqliteStore::set_holder(const std::string& run_id, const Holder& holder) {
  VMPATCH_TRY(Statement update, database_.prepare("UPDATE runs SET holder_pid = ?, holder_start_time = ?, holder_boot_id = ?, "
                                                  "updated = ? WHERE id = ?"));
  return update.bind(holder.pid, static_cast<std::int64_t>(holder.start_time), holder.boot_id, clock_.now(), run_id).run();
}

Result<void> SqliteStore::set_state(const Run& run, RunState to, const Json& detail, const std::string& error) {
  if (!may_follow(run.state, to)) {
    return fail(Errc::failed, "run {} cannot go from {} to {}", run.id, to_string(run.state), to_string(to));
  }
  Json merged = run.detail;
  if (detail.is_object()) merged.merge_patch(detail);
  const std::string text = dump_json(merged);
  const std::string& kept_error = error.empty() ? run.error : error;
  VMPATCH_TRY(Statement update, database_.prepare("UPDATE runs SET state = ?, detail = ?, error = ?, updated = ? WHERE id = ?"));
  VMPATCH_CHECK(update.bind(to_string(to), text, kept_error, clock_.now(), run.id).run());
  Json data{{"machine", run.machine_uuid}, {"from", to_string(run.state)}};
  if (!error.empty()) data["error"] = error;
  return note(fmt::format("run.{}", to_string(to)), run.id, data);
}

Result<void> SqliteStore::lease(const std::string& run_id, const Holder& holder) {
  return write([&]() -> Result<void> {
    VMPATCH_TRY(const Run run, load_run(run_id));
    VMPATCH_TRY(const auto others, select_runs(database_, holds_lease, run.machine_uuid, 1));
    if (!others.empty()) return held_by(others.front());
    VMPATCH_CHECK(set_holder(run_id, holder));
    return set_state(run, RunState::leased, Json::object({{"holder", holder_json(holder)}}), "");
  });
}

Result<void> SqliteStore::advance(const std::string& run_id, RunState from, RunState to, const Json& detail,
                                  const std::string& error) {
  if (!detail.is_null() && !detail.is_object()) return fail(Errc::failed, "run {}: detail must be an object", run_id);
  if (to == RunState::leased) return fail(Errc::failed, "run {} becomes leased by lease() only", run_id);
  if (to == RunState::attested) return fail(Errc::failed, "run {} becomes attested by attest() only", run_id);
  return write([&]() -> Result<void> {
    VMPATCH_TRY(const Run run, load_run(run_id));
    if (run.state != from) {
      return fail(Errc::busy, "run {} is {} now, not {}: another process has moved it", run.id, to_string(run.state),
                  to_string(from));
    }
    return set_state(run, to, detail, error);
  });
}

Result<void> SqliteStore::adopt(const std::string& run_id, const Holder& holder) {
  return write([&]() -> Result<void> {
    VMPATCH_TRY(const Run run, load_run(run_id));
    if (is_final(run.state)) return fail(Errc::refused, "run {} is {}: nothing to recover", run.id, to_string(run.state));
    if (!(run.holder == holder) && is_alive(run.holder)) {
      return fail(Errc::busy, "run {} on machine {} is alive (process {}); wait for it to end", run.id,
                  escape_untrusted(run.machine_name), run.holder.pid);
    }
    VMPATCH_CHECK(set_holder(run_id, holder));
    {
      VMPATCH_TRY(Statement count,
                  database_.prepare("UPDATE runs SET recovery_attempts = recovery_attempts + 1 WHERE id = ?"));
      VMPATCH_CHECK(count.bind(run_id).run());
    }
    return note("run.adopted", run_id, {{"machine", run.machine_uuid}, {"attempt", run.recovery_attempts + 1}});
  });
}

Result<std::vector<Run>> SqliteStore::runs(const RunFilter& filter) {
  const std::lock_guard lock(mutex_);
  std::string where = "1";
  std::string value;
  if (filter.unfinished_only) where = "state NOT IN ('attested', 'discarded', 'failed')";
  if (filter.machine_uuid && filter.run_id) {
    // A run id is unique, so at most one is left to compare.
    VMPATCH_TRY(auto found, select_runs(database_, where + " AND id = ?", *filter.run_id, filter.limit));
    std::erase_if(found, [&](const Run& run) { return run.machine_uuid != *filter.machine_uuid; });
    return found;
  }
  if (filter.machine_uuid) {
    where += " AND machine_uuid = ?";
    value = *filter.machine_uuid;
  } else if (filter.run_id) {
    where += " AND id = ?";
    value = *filter.run_id;
  }
  return select_runs(database_, where, value, filter.limit);
}

Result<void> SqliteStore::save_attestation(const Attestation& attestation, const std::string& action,
                                           const std::string& subject) {
  Attestation stamped = attestation;
  if (stamped.time == Time{}) stamped.time = clock_.now();
  VMPATCH_CHECK(insert_attestation(database_, stamped));
  return note(action, subject,
              {{"machine", attestation.machine_uuid}, {"satisfied", attestation.satisfied},
               {"envelope_sha256", sha256(attestation.envelope).hex()}});
}

Result<void> SqliteStore::attest(const std::string& run_id, const Attestation& attestation) {
  return write([&]() -> Result<void> {
    VMPATCH_TRY(const Run run, load_run(run_id));
    if (run.machine_uuid != attestation.machine_uuid) {
      return fail(Errc::failed, "run {} is not about machine {}", run_id, escape_untrusted(attestation.machine_uuid));
    }
    VMPATCH_CHECK(set_state(run, RunState::attested, {}, ""));
    return save_attestation(attestation, "attestation.made", run_id);
  });
}

Result<void> SqliteStore::attest_checked(const Attestation& attestation) {
  return write([&] { return save_attestation(attestation, "attestation.checked", attestation.machine_uuid); });
}

Result<std::optional<Attestation>> SqliteStore::attestation(const std::string& machine_uuid) {
  const std::lock_guard lock(mutex_);
  VMPATCH_TRY(Statement statement,
              database_.prepare(fmt::format("SELECT {} FROM attestations WHERE machine_uuid = ? ORDER BY sequence DESC LIMIT 1",
                                            attestation_columns)));
  VMPATCH_TRY(const bool found, statement.bind(machine_uuid).step());
  if (!found) return std::optional<Attestation>();
  VMPATCH_TRY(Attestation attestation, read_attestation(statement, true));
  return std::optional(std::move(attestation));
}

Result<std::vector<Attestation>> SqliteStore::attestations() {
  const std::lock_guard lock(mutex_);
  VMPATCH_TRY(Statement statement,
              database_.prepare(fmt::format("SELECT {} FROM attestations WHERE sequence IN (SELECT max(sequence) FROM "
                                            "attestations GROUP BY machine_uuid) ORDER BY machine_name, machine_uuid",
                                            attestation_columns)));
  std::vector<Attestation> all;
  for (;;) {
    VMPATCH_TRY(const bool found, statement.step());
    if (!found) return all;
    VMPATCH_TRY(Attestation attestation, read_attestation(statement, true));
    all.push_back(std::move(attestation));
  }
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

}  // namespace

Result<std::unique_ptr<Store>> open_store(const std::filesystem::path& file, const Clock& clock) {
  VMPATCH_TRY(Database database, Database::open(file, {}));
  VMPATCH_CHECK(migrate(database, ledger_migrations()));
  return std::unique_ptr<Store>(std::make_unique<SqliteStore>(std::move(database), clock));
}

}  // namespace vmpatch::ledger
