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
  VMPATCH_CHECK(check_newest_attestation(stamped.machine_uuid));
  VMPATCH_TRY(const std::int64_t last, last_attestation());
  VMPATCH_CHECK(sealed_.change(kinds::attestation, {"sequence > ?", {std::to_string(last)}},
                               [&] { return insert_attestation(database(), stamped); }));
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

Result<std::int64_t> SqliteStore::last_attestation() {
  VMPATCH_TRY(Statement select, database().prepare("SELECT max(sequence) FROM attestations"));
  VMPATCH_TRY(const bool found, select.step());
  return found ? select.integer(0) : 0;
}

Result<void> SqliteStore::check_newest_attestation(const std::string& machine_uuid) {
  return sealed_.check_last(kinds::attestation, machine_uuid, "attestation/" + machine_uuid + "/",
                            {"machine_uuid = ? ORDER BY sequence DESC LIMIT 1", {machine_uuid}});
}

Result<std::optional<Attestation>> SqliteStore::attestation(const std::string& machine_uuid) {
  return ask([&]() -> Result<std::optional<Attestation>> {
    VMPATCH_CHECK(check_newest_attestation(machine_uuid));
    VMPATCH_TRY(Statement statement,
                database().prepare(fmt::format("SELECT {} FROM attestations WHERE machine_uuid = ? ORDER BY sequence DESC LIMIT 1",
                                               attestation_columns)));
    VMPATCH_TRY(const bool found, statement.bind(machine_uuid).step());
    if (!found) return std::optional<Attestation>();
    VMPATCH_TRY(Attestation attestation, read_attestation(statement, true));
    return std::optional(std::move(attestation));
  });
}

Result<std::vector<Attestation>> SqliteStore::attestations() {
  return ask([&]() -> Result<std::vector<Attestation>> {
    VMPATCH_TRY(Statement statement,
                database().prepare(fmt::format("SELECT {} FROM attestations WHERE sequence IN (SELECT max(sequence) FROM "
                                               "attestations GROUP BY machine_uuid) ORDER BY machine_name, machine_uuid",
                                               attestation_columns)));
    std::vector<Attestation> all;
    for (;;) {
      VMPATCH_TRY(const bool found, statement.step());
      if (!found) return all;
      VMPATCH_TRY(Attestation attestation, read_attestation(statement, true));
      VMPATCH_CHECK(check_newest_attestation(attestation.machine_uuid));
      all.push_back(std::move(attestation));
    }
  });
}

Result<void> SqliteStore::each_attestation(const std::function<Result<void>(const Attestation&)>& visit) {
  return ask([&]() -> Result<void> {
    VMPATCH_TRY(Statement statement, database().prepare(fmt::format("SELECT {} FROM attestations ORDER BY sequence", attestation_columns)));
    for (;;) {
      VMPATCH_TRY(const bool found, statement.step());
      if (!found) return {};
      VMPATCH_TRY(const Attestation attestation, read_attestation(statement, true));
      VMPATCH_CHECK(visit(attestation));
    }
  });
}

}  // namespace vmpatch::ledger
