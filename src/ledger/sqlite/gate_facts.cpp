#include <algorithm>
#include <iterator>

#include "ledger/sqlite/migrate.hpp"
#include "ledger/sqlite/rows.hpp"
#include "vmpatch/ledger/gate_view.hpp"
#include "vmpatch/ledger/store.hpp"

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

/// See GateFacts::unfinished_run.
int severity(const Run& run) {
  if (run.state == RunState::planned) return 0;
  if (run.state == RunState::committing || run.state == RunState::committed || run.state == RunState::quarantined) return 3;
  return is_alive(run.holder) ? 2 : 1;
}

constexpr std::string_view unfinished = "state NOT IN ('attested', 'discarded', 'failed')";

Result<void> read_unfinished_run(Database& database, const std::string& machine_uuid, const std::vector<std::string>& disks,
                                 GateFacts& facts) {
  VMPATCH_TRY(auto runs, select_runs(database, fmt::format("machine_uuid = ? AND {}", unfinished), {machine_uuid}, 0));
  for (const std::string& disk : disks) {
    VMPATCH_TRY(auto others, select_runs(database, fmt::format("id IN (SELECT run_id FROM run_disks WHERE disk_key = ?) AND {}", unfinished),
                                         {disk}, 0));
    std::ranges::move(others, std::back_inserter(runs));
  }
  const auto worst = std::ranges::max_element(runs, {}, severity);
  if (worst != runs.end()) facts.unfinished_run = std::move(*worst);
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

Result<GateFacts> read_all(Database& database, const std::string& machine_uuid, const std::vector<std::string>& disks, Time now) {
  GateFacts facts;
  VMPATCH_CHECK(read_policy(database, facts));
  VMPATCH_CHECK(read_attestation(database, machine_uuid, facts));
  VMPATCH_CHECK(read_unfinished_run(database, machine_uuid, disks, facts));
  VMPATCH_CHECK(read_overrides(database, machine_uuid, now, facts));
  return facts;
}

class SqliteGateReader final : public GateReader {
 public:
  explicit SqliteGateReader(Database database) : database_(std::move(database)) {}

  Result<GateFacts> facts(const std::string& machine_uuid, const std::vector<std::string>& disks, Time now) override {
    // One snapshot for all questions: an attestation and its run change together.
    VMPATCH_CHECK(database_.execute("BEGIN"));
    auto facts = read_all(database_, machine_uuid, disks, now);
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

Result<GateFacts> read_gate_facts(const std::filesystem::path& ledger, const std::string& machine_uuid,
                                  const std::vector<std::string>& disks, Time now) {
  VMPATCH_TRY(const auto reader, GateReader::open(ledger));
  return reader->facts(machine_uuid, disks, now);
}

}  // namespace vmpatch::ledger
