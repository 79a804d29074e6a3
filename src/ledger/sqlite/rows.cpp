#include "ledger/sqlite/rows.hpp"

#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {

Result<Run> read_run(const Statement& s) {
  Run run;
  run.id = s.text(0);
  run.kind = s.text(1);
  run.machine_uuid = s.text(2);
  run.machine_name = s.text(3);
  run.host = s.text(4);
  run.recipe_id = s.text(5);
  run.recipe_version = static_cast<std::uint32_t>(s.integer(6));
  run.recipe_digest = s.text(7);
  VMPATCH_TRY(run.state, parse_run_state(s.text(8)));
  run.holder = {s.integer(9), static_cast<std::uint64_t>(s.integer(10)), s.text(11)};
  run.recovery_attempts = static_cast<std::uint32_t>(s.integer(12));
  run.created = s.time(13);
  run.updated = s.time(14);
  run.error = s.text(15);
  VMPATCH_TRY(run.detail, s.json(16));
  VMPATCH_TRY(const Json disks, s.json(17));
  for (const Json& key : disks) run.disks.push_back(key.get<std::string>());
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

Result<std::vector<Run>> select_runs(Database& database, std::string_view where, const std::vector<std::string>& values,
                                     std::size_t limit) {
  VMPATCH_TRY(Statement statement,
              database.prepare(fmt::format("SELECT {}, {} FROM runs WHERE {} ORDER BY sequence DESC LIMIT {}", run_columns, run_disk_list,
                                           where, limit == 0 ? "-1" : std::to_string(limit))));
  for (const std::string& value : values) statement.bind(value);
  std::vector<Run> runs;
  for (;;) {
    VMPATCH_TRY(const bool found, statement.step());
    if (!found) return runs;
    VMPATCH_TRY(Run run, read_run(statement));
    runs.push_back(std::move(run));
  }
}

Result<Attestation> read_attestation(const Statement& s, bool with_envelope) {
  Attestation attestation;
  attestation.machine_uuid = s.text(0);
  attestation.machine_name = s.text(1);
  attestation.run_id = s.text(2);
  attestation.time = s.time(3);
  VMPATCH_TRY(attestation.identities, s.json(4));
  VMPATCH_TRY(attestation.satisfied, s.json(5));
  if (with_envelope) attestation.envelope = s.text(6);
  return attestation;
}

Result<void> insert_attestation(Database& database, const Attestation& a) {
  VMPATCH_TRY(Statement s, database.prepare("INSERT INTO attestations (machine_uuid, machine_name, run_id, time, identities, "
                                            "satisfied, envelope) VALUES (?, ?, ?, ?, ?, ?, ?)"));
  const std::string identities = dump_json(a.identities);
  const std::string satisfied = dump_json(a.satisfied);
  return s.bind(a.machine_uuid, a.machine_name, a.run_id, a.time, identities, satisfied, a.envelope).run();
}

Result<Undo> read_undo(const Statement& s) {
  Undo undo;
  undo.run_id = s.text(0);
  undo.machine_uuid = s.text(1);
  undo.machine_name = s.text(2);
  undo.created = s.time(3);
  undo.bytes = static_cast<std::uint64_t>(s.integer(4));
  VMPATCH_TRY(undo.state, parse_undo_state(s.text(5)));
  undo.used_by = s.text(6);
  VMPATCH_TRY(undo.detail, s.json(7));
  return undo;
}

Result<Override> read_override(const Statement& s) {
  Override entry;
  entry.id = s.text(0);
  entry.machine_uuid = s.text(1);
  VMPATCH_TRY(entry.identities, s.json(2));
  entry.reason = s.text(3);
  entry.actor = s.text(4);
  entry.created = s.time(5);
  entry.expires = s.time(6);
  return entry;
}

}  // namespace vmpatch::ledger
