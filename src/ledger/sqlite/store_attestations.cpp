#include "ledger/sqlite/store.hpp"

#include "ledger/sqlite/rows.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::ledger {
namespace {

constexpr std::string_view attestation_columns = "machine_uuid, machine_name, run_id, time, identities, satisfied, envelope";

}  // namespace

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

}  // namespace vmpatch::ledger
