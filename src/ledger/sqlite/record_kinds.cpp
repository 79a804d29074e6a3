#include "ledger/sqlite/record_kinds.hpp"

#include "ledger/sqlite/migrate.hpp"

namespace vmpatch::ledger {

namespace kinds {

const RecordKind run{
    "run",
    "SELECT iif(state IN ('attested', 'discarded', 'failed'), id, 'open'), "
    "iif(state IN ('attested', 'discarded', 'failed'), 'run/' || id, 'open/' || id), sequence, id, kind, "
    "machine_uuid, machine_name, host, recipe_id, recipe_version, recipe_digest, state, holder_pid, holder_start_time, holder_boot_id, "
    "recovery_attempts, created, updated, error, detail, (SELECT json_group_array(json_array(disk_key, held)) FROM run_disks WHERE "
    "run_id = runs.id ORDER BY disk_key) FROM runs"};
const RecordKind undo{"undo",
                      "SELECT run_id, 'undo/' || run_id, run_id, machine_uuid, machine_name, created, bytes, state, used_by, detail "
                      "FROM undo"};
const RecordKind attestation{"attestation",
                             "SELECT machine_uuid, printf('attestation/%s/%012d', machine_uuid, sequence), sequence, machine_uuid, "
                             "machine_name, run_id, time, identities, satisfied, envelope FROM attestations"};
const RecordKind recipe{"recipe", "SELECT id, 'recipe/' || id, id, version, digest FROM recipes"};
const RecordKind override_entry{"override",
                                "SELECT machine_uuid, 'override/' || machine_uuid || '/' || id, id, machine_uuid, identities, reason, "
                                "actor, created, expires FROM overrides"};
const RecordKind policy{"policy", "SELECT 'policy', 'policy', id, policy, origin, time FROM policy"};
const RecordKind custody{"custody",
                         "SELECT machine_uuid, 'custody/' || machine_uuid, machine_uuid, boot_id, opened, started, closed, identities, "
                         "operation, unbroken, lost, live, attested FROM custody"};
const RecordKind restore{"restore",
                         "SELECT machine_uuid, 'restore/' || machine_uuid, machine_uuid, boot_id, opened, identities, live, unbroken, "
                         "override_id FROM restores"};
const RecordKind saved{"saved",
                       "SELECT machine_uuid, 'saved/' || machine_uuid, machine_uuid, identities, time, memory, managed, forgotten "
                       "FROM saved"};
const RecordKind rescan{"rescan", "SELECT machine_uuid, 'rescan/' || machine_uuid, machine_uuid, reason, time FROM rescans"};
const RecordKind used_override{"used", "SELECT 'used', 'used/' || id, id, time FROM used_overrides"};

}  // namespace kinds

namespace {

const std::vector<const RecordKind*>& ledger_kinds() {
  static const std::vector<const RecordKind*> all{&kinds::run,    &kinds::undo,           &kinds::attestation,
                                                  &kinds::recipe, &kinds::override_entry, &kinds::policy};
  return all;
}

const std::vector<const RecordKind*>& custody_kinds() {
  static const std::vector<const RecordKind*> all{&kinds::custody, &kinds::restore, &kinds::saved, &kinds::rescan, &kinds::used_override};
  return all;
}

}  // namespace

const RecordSchema& ledger_schema() {
  static const RecordSchema schema{"ledger", ledger_migrations, "4f094c302b595861f6364e045b2c0a71075c3c6cfd51cf796149e7bfcfc15c82", 3,
                                   ledger_kinds};
  return schema;
}

const RecordSchema& custody_schema() {
  static const RecordSchema schema{"gate", custody_migrations, "1116612b39b1fc0bada523af9446f26553e7d0463e9a15d7bf857000ea976562", 3,
                                   custody_kinds};
  return schema;
}

}  // namespace vmpatch::ledger
