#include "ledger/sqlite/rows.hpp"

#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {

namespace {

constexpr std::string_view run_columns =
    "id, kind, machine_uuid, machine_name, host, recipe_id, recipe_version, recipe_digest, state, holder_pid, "
    "holder_start_time, holder_boot_id, recovery_attempts, created, updated, error, detail";

}  // namespace

Result<Run> read_run(const Row& row) {
  Run run;
  run.id = row.text(1);
  run.kind = row.text(2);
  run.machine_uuid = row.text(3);
  run.machine_name = row.text(4);
  run.host = row.text(5);
  run.recipe_id = row.text(6);
  run.recipe_version = static_cast<std::uint32_t>(row.integer(7));
  run.recipe_digest = row.text(8);
  VMPATCH_TRY(run.state, parse_run_state(row.text(9)));
  run.holder = {row.integer(10), static_cast<std::uint64_t>(row.integer(11)), row.text(12)};
  run.recovery_attempts = static_cast<std::uint32_t>(row.integer(13));
  run.created = row.time(14);
  run.updated = row.time(15);
  run.error = row.text(16);
  VMPATCH_TRY(run.detail, row.json(17));
  VMPATCH_TRY(const Json disks, row.json(18));
  for (const Json& disk : disks) run.disks.push_back(disk.at(0).get<std::string>());
  return run;
}

Result<void> insert_run(Database& database, const Run& run) {
  VMPATCH_TRY(Statement s, database.prepare(fmt::format(
                               "INSERT INTO runs ({}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", run_columns)));
  const std::string detail = run.detail.is_null() ? "{}" : dump_json(run.detail);
  return s
      .bind(run.id, run.kind, run.machine_uuid, run.machine_name, run.host, run.recipe_id, std::int64_t{run.recipe_version},
            run.recipe_digest, to_string(run.state), run.holder.pid, static_cast<std::int64_t>(run.holder.start_time),
            run.holder.boot_id, std::int64_t{run.recovery_attempts}, run.created, run.updated, run.error, detail)
      .run();
}

Result<Attestation> read_attestation(const Row& row, bool with_envelope) {
  Attestation attestation;
  attestation.machine_uuid = row.text(1);
  attestation.machine_name = row.text(2);
  attestation.run_id = row.text(3);
  attestation.time = row.time(4);
  VMPATCH_TRY(attestation.identities, row.json(5));
  VMPATCH_TRY(attestation.satisfied, row.json(6));
  if (with_envelope) attestation.envelope = row.text(7);
  return attestation;
}

Result<void> insert_attestation(Database& database, const Attestation& a) {
  VMPATCH_TRY(Statement s, database.prepare("INSERT INTO attestations (machine_uuid, machine_name, run_id, time, identities, "
                                            "satisfied, envelope) VALUES (?, ?, ?, ?, ?, ?, ?)"));
  const std::string identities = dump_json(a.identities);
  const std::string satisfied = dump_json(a.satisfied);
  return s.bind(a.machine_uuid, a.machine_name, a.run_id, a.time, identities, satisfied, a.envelope).run();
}

Result<Undo> read_undo(const Row& row) {
  Undo undo;
  undo.run_id = row.text(0);
  undo.machine_uuid = row.text(1);
  undo.machine_name = row.text(2);
  undo.created = row.time(3);
  undo.bytes = static_cast<std::uint64_t>(row.integer(4));
  VMPATCH_TRY(undo.state, parse_undo_state(row.text(5)));
  undo.used_by = row.text(6);
  VMPATCH_TRY(undo.detail, row.json(7));
  return undo;
}

Result<Override> read_override(const Row& row) {
  Override entry;
  entry.id = row.text(0);
  entry.machine_uuid = row.text(1);
  VMPATCH_TRY(entry.identities, row.json(2));
  entry.reason = row.text(3);
  entry.actor = row.text(4);
  entry.created = row.time(5);
  entry.expires = row.time(6);
  return entry;
}

}  // namespace vmpatch::ledger
