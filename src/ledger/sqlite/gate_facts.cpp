#include "ledger/sqlite/migrate.hpp"
#include "ledger/sqlite/rows.hpp"
#include "vmpatch/ledger/gate_view.hpp"

namespace vmpatch::ledger {
namespace {

/// A reader of a WAL database waits only while somebody recovers it after a crash.
constexpr int patience_ms = 1000;

Result<void> read_policy(Database& database, GateFacts& facts) {
  VMPATCH_TRY(Statement s, database.prepare("SELECT policy, origin FROM policy WHERE id = 1"));
  VMPATCH_TRY(const bool found, s.step());
  if (!found) return {};
  VMPATCH_TRY(facts.policy, s.json(0));
  VMPATCH_TRY(facts.policy_origin, s.json(1));
  return {};
}

Result<void> read_attestation(Database& database, const std::string& machine_uuid, GateFacts& facts) {
  VMPATCH_TRY(Statement s, database.prepare("SELECT machine_uuid, machine_name, run_id, time, identities, satisfied FROM "
                                            "attestations WHERE machine_uuid = ? ORDER BY sequence DESC LIMIT 1"));
  VMPATCH_TRY(const bool found, s.bind(machine_uuid).step());
  if (!found) return {};
  VMPATCH_TRY(facts.attestation, ledger::read_attestation(s, false));
  return {};
}

/// A run that holds the machine counts before one that is only planned.
Result<void> read_unfinished_run(Database& database, const std::string& machine_uuid, GateFacts& facts) {
  VMPATCH_TRY(auto runs, select_runs(database, "machine_uuid = ? AND state NOT IN ('attested', 'discarded', 'failed')",
                                     machine_uuid, 16));
  for (Run& run : runs) {
    const bool planned_only = run.state == RunState::planned;
    if (!facts.unfinished_run || (facts.unfinished_run->state == RunState::planned && !planned_only)) {
      facts.unfinished_run = std::move(run);
    }
  }
  return {};
}

Result<void> read_overrides(Database& database, const std::string& machine_uuid, Time now, GateFacts& facts) {
  VMPATCH_TRY(Statement s, database.prepare(fmt::format("SELECT {} FROM overrides WHERE machine_uuid = ? AND expires > ? ORDER BY "
                                                        "expires LIMIT 64",
                                                        override_columns)));
  s.bind(machine_uuid, now);
  for (;;) {
    VMPATCH_TRY(const bool found, s.step());
    if (!found) return {};
    VMPATCH_TRY(Override entry, read_override(s));
    facts.overrides.push_back(std::move(entry));
  }
}

Result<GateFacts> read_all(Database& database, const std::string& machine_uuid, Time now) {
  GateFacts facts;
  VMPATCH_CHECK(read_policy(database, facts));
  VMPATCH_CHECK(read_attestation(database, machine_uuid, facts));
  VMPATCH_CHECK(read_unfinished_run(database, machine_uuid, facts));
  VMPATCH_CHECK(read_overrides(database, machine_uuid, now, facts));
  return facts;
}

class SqliteGateReader final : public GateReader {
 public:
  explicit SqliteGateReader(Database database) : database_(std::move(database)) {}

  Result<GateFacts> facts(const std::string& machine_uuid, Time now) override {
    // One snapshot for all questions: an attestation and its run change together.
    VMPATCH_CHECK(database_.execute("BEGIN"));
    auto facts = read_all(database_, machine_uuid, now);
    VMPATCH_CHECK(database_.execute("COMMIT"));
    return facts;
  }

 private:
  Database database_;
};

}  // namespace

Result<std::unique_ptr<GateReader>> GateReader::open(const std::filesystem::path& ledger) {
  VMPATCH_TRY(Database database,
              Database::open(ledger, {.mode = Database::Mode::read_only, .busy_timeout_ms = patience_ms}));
  VMPATCH_CHECK(check_version(database, ledger_migrations()));
  return std::unique_ptr<GateReader>(std::make_unique<SqliteGateReader>(std::move(database)));
}

Result<GateFacts> read_gate_facts(const std::filesystem::path& ledger, const std::string& machine_uuid, Time now) {
  VMPATCH_TRY(const auto reader, GateReader::open(ledger));
  return reader->facts(machine_uuid, now);
}

}  // namespace vmpatch::ledger
