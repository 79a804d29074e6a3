#include <algorithm>
#include <iterator>

#include "ledger/sqlite/rows.hpp"
#include "ledger/sqlite/sealed_database.hpp"
#include "vmpatch/ledger/gate_view.hpp"
#include "vmpatch/ledger/store.hpp"

namespace vmpatch::ledger {
namespace {

/// A reader of a WAL database waits only while somebody recovers it after a crash.
constexpr int patience_ms = 1000;

bool may_be_torn(const Run& run) {
  return run.state == RunState::committing || run.state == RunState::committed || run.state == RunState::quarantined;
}

/// See GateFacts::unfinished_run.
int severity(const Run& run) {
  if (run.state == RunState::planned) return 0;
  if (may_be_torn(run)) return 3;
  return is_alive(run.holder) ? 2 : 1;
}

bool is_about(const Run& run, const std::string& machine_uuid, const std::vector<std::string>& disks) {
  return run.machine_uuid == machine_uuid ||
         std::ranges::any_of(disks, [&](const std::string& disk) { return std::ranges::find(run.disks, disk) != run.disks.end(); });
}

class SqliteGateReader final : public GateReader {
 public:
  explicit SqliteGateReader(SealedDatabase sealed) : sealed_(std::move(sealed)) {}

  Result<GateFacts> facts(const std::string& machine_uuid, const std::vector<std::string>& disks, Time now) override {
    // One snapshot for all questions: an attestation and its run change together.
    return sealed_.ask([&]() -> Result<GateFacts> {
      GateFacts facts;
      VMPATCH_CHECK(read_policy(facts));
      VMPATCH_CHECK(read_attestation(machine_uuid, facts));
      VMPATCH_CHECK(read_unfinished_run(machine_uuid, disks, facts));
      VMPATCH_CHECK(read_overrides(machine_uuid, now, facts));
      return facts;
    });
  }

  Result<Json> policy() override {
    return sealed_.ask([&]() -> Result<Json> {
      GateFacts facts;
      VMPATCH_CHECK(read_policy(facts));
      return std::move(facts.policy);
    });
  }

  Result<bool> has_unfinished_runs() override {
    return sealed_.ask([&]() -> Result<bool> {
      VMPATCH_TRY(const Rows rows, open_runs());
      return !rows.empty();
    });
  }

 private:
  Result<void> read_policy(GateFacts& facts) {
    VMPATCH_TRY(const auto row, sealed_.load_key(kinds::policy, "policy", "policy", {"id = 1"}));
    if (!row) return {};
    if (row->text(1) == lost_policy) {
      return fail(Errc::untrusted, "{} had no policy when its records were accepted, and what is required is not known; run 'vm-patch gate "
                  "publish'", sealed_.database().file());
    }
    VMPATCH_TRY(facts.policy, row->json(1));
    VMPATCH_TRY(facts.policy_origin, row->json(2));
    return {};
  }

  Result<void> read_attestation(const std::string& machine_uuid, GateFacts& facts) {
    VMPATCH_TRY(const auto row, sealed_.load_last(kinds::attestation, machine_uuid, "attestation/" + machine_uuid + "/",
                                                  {"machine_uuid = ? ORDER BY sequence DESC LIMIT 1", {machine_uuid}}));
    if (!row) return {};
    VMPATCH_TRY(facts.attestation, ledger::read_attestation(*row, false));
    return {};
  }

  Result<Rows> open_runs() {
    return sealed_.load_prefix(kinds::run, "open", "open/", {fmt::format("{} ORDER BY sequence DESC", unfinished)});
  }

  /// All that are unfinished are looked at, and they are few: which of them there are is sealed, an index is not.
  Result<void> read_unfinished_run(const std::string& machine_uuid, const std::vector<std::string>& disks, GateFacts& facts) {
    VMPATCH_TRY(const Rows rows, open_runs());
    VMPATCH_TRY(auto runs, read_each(rows, read_run));
    const auto torn = std::ranges::find_if(runs, may_be_torn);
    if (torn != runs.end()) facts.torn_run = torn->id;
    std::erase_if(runs, [&](const Run& run) { return !is_about(run, machine_uuid, disks); });
    const auto worst = std::ranges::max_element(runs, {}, severity);
    if (worst != runs.end()) facts.unfinished_run = std::move(*worst);
    return {};
  }

  Result<void> read_overrides(const std::string& machine_uuid, Time now, GateFacts& facts) {
    VMPATCH_TRY(const Rows rows, sealed_.load_prefix(kinds::override_entry, machine_uuid, "override/" + machine_uuid + "/",
                                                     {"machine_uuid = ? ORDER BY expires", {machine_uuid}}));
    VMPATCH_TRY(facts.overrides, read_each(rows, read_override));
    std::erase_if(facts.overrides, [&](const Override& entry) { return entry.expires <= now; });
    return {};
  }

  SealedDatabase sealed_;
};

}  // namespace

Result<std::unique_ptr<GateReader>> GateReader::open(const std::filesystem::path& ledger) {
  VMPATCH_TRY(SealedDatabase sealed, SealedDatabase::open(ledger, ledger_schema(),
                                                          {.mode = Database::Mode::read_only, .busy_timeout_ms = patience_ms}));
  return std::unique_ptr<GateReader>(std::make_unique<SqliteGateReader>(std::move(sealed)));
}

Result<GateFacts> read_gate_facts(const std::filesystem::path& ledger, const std::string& machine_uuid,
                                  const std::vector<std::string>& disks, Time now) {
  VMPATCH_TRY(const auto reader, GateReader::open(ledger));
  return reader->facts(machine_uuid, disks, now);
}

}  // namespace vmpatch::ledger
