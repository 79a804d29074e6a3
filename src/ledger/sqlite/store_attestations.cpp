#include "ledger/sqlite/store.hpp"

#include <algorithm>
#include <tuple>

#include "ledger/sqlite/rows.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::ledger {

Result<void> SqliteStore::save_attestation(const Attestation& attestation, const std::string& action,
                                           const std::string& subject) {
  Attestation stamped = attestation;
  if (stamped.time == Time{}) stamped.time = clock_.now();
  VMPATCH_CHECK(newest_attestation(stamped.machine_uuid));
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

Result<std::optional<Attestation>> SqliteStore::newest_attestation(const std::string& machine_uuid) {
  VMPATCH_TRY(const auto row, sealed_.load_last(kinds::attestation, machine_uuid, "attestation/" + machine_uuid + "/",
                                                {"machine_uuid = ? ORDER BY sequence DESC LIMIT 1", {machine_uuid}}));
  if (!row) return std::optional<Attestation>();
  VMPATCH_TRY(Attestation attestation, read_attestation(*row, true));
  return std::optional(std::move(attestation));
}

Result<std::optional<Attestation>> SqliteStore::attestation(const std::string& machine_uuid) {
  return ask([&] { return newest_attestation(machine_uuid); });
}

Result<std::vector<Attestation>> SqliteStore::attestations() {
  return ask([&]() -> Result<std::vector<Attestation>> {
    VMPATCH_TRY(Statement machines, database().prepare("SELECT DISTINCT machine_uuid FROM attestations"));
    std::vector<Attestation> all;
    for (;;) {
      VMPATCH_TRY(const bool found, machines.step());
      if (!found) break;
      VMPATCH_TRY(auto newest, newest_attestation(machines.text(0)));
      if (newest) all.push_back(std::move(*newest));
    }
    std::ranges::sort(all, {}, [](const Attestation& one) { return std::tie(one.machine_name, one.machine_uuid); });
    return all;
  });
}

Result<void> SqliteStore::each_attestation(const std::function<Result<void>(const Attestation&)>& visit) {
  return ask([&]() -> Result<void> {
    // As they are: all of them at once take more room than there may be.
    VMPATCH_TRY(Statement statement, database().prepare(fmt::format("{} ORDER BY sequence", kinds::attestation.select)));
    for (;;) {
      VMPATCH_TRY(const bool found, statement.step());
      if (!found) return {};
      VMPATCH_TRY(const Attestation attestation, read_attestation(statement.row(2), true));
      VMPATCH_CHECK(visit(attestation));
    }
  });
}

}  // namespace vmpatch::ledger
