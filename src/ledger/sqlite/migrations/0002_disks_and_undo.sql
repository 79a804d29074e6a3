-- The disks that a run holds, beside its machine. `held` follows the run's state by itself, so that whatever a program does, one
-- disk has one run under way.
CREATE TABLE run_disks (
  run_id TEXT NOT NULL REFERENCES runs (id),
  disk_key TEXT NOT NULL,
  held INTEGER NOT NULL,
  PRIMARY KEY (run_id, disk_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_disks_key ON run_disks (disk_key, run_id);
CREATE UNIQUE INDEX run_disks_lease ON run_disks (disk_key) WHERE held = 1;
CREATE TRIGGER run_disks_follow AFTER UPDATE OF state ON runs BEGIN
  UPDATE run_disks SET held = new.state IN ('leased', 'staged', 'patched', 'verified', 'committing', 'committed', 'quarantined')
    WHERE run_id = new.id;
END;

-- What takes a run back. bytes 0: not known. used_by: the rollback that reads it (in_use) or that was made with it (spent).
CREATE TABLE undo (
  run_id TEXT NOT NULL PRIMARY KEY REFERENCES runs (id),
  machine_uuid TEXT NOT NULL,
  machine_name TEXT NOT NULL,
  created INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('kept', 'in_use', 'spent', 'expired')),
  used_by TEXT NOT NULL CHECK ((used_by = '') = (state IN ('kept', 'expired'))),
  detail TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX undo_machine ON undo (machine_uuid, created);

-- Until now a folder that was there meant an undo image: it was removed when a rollback had been attested, or when it expired.
INSERT INTO undo (run_id, machine_uuid, machine_name, created, bytes, state, used_by, detail)
  SELECT id, machine_uuid, machine_name, updated, 0, 'kept', '', '{}' FROM runs
    WHERE kind = 'apply' AND state IN ('committed', 'attested');
UPDATE undo SET (state, used_by) = (back.state, back.id) FROM
    (SELECT json_extract(detail, '$.of') AS original, id, iif(state = 'attested', 'spent', 'in_use') AS state FROM runs
       WHERE kind = 'rollback' AND state NOT IN ('planned', 'discarded', 'failed') AND json_valid(detail)) AS back
  WHERE undo.run_id = back.original;
