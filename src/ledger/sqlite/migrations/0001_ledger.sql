-- Times are nanoseconds since the epoch (UTC). JSON is text.

CREATE TABLE runs (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  machine_uuid TEXT NOT NULL,
  machine_name TEXT NOT NULL,
  host TEXT NOT NULL,
  recipe_id TEXT NOT NULL,
  recipe_version INTEGER NOT NULL,
  recipe_digest TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('planned', 'leased', 'staged', 'patched', 'verified', 'committing', 'committed',
                                       'attested', 'discarded', 'failed', 'quarantined')),
  holder_pid INTEGER NOT NULL,
  holder_start_time INTEGER NOT NULL,
  holder_boot_id TEXT NOT NULL,
  recovery_attempts INTEGER NOT NULL,
  created INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  error TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
CREATE INDEX runs_machine ON runs (machine_uuid, sequence);
CREATE INDEX runs_unfinished ON runs (machine_uuid, sequence) WHERE state NOT IN ('attested', 'discarded', 'failed');
-- The lease: whatever a program does, one machine has one run under way.
CREATE UNIQUE INDEX runs_lease ON runs (machine_uuid)
  WHERE state IN ('leased', 'staged', 'patched', 'verified', 'committing', 'committed', 'quarantined');

CREATE TABLE attestations (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  machine_uuid TEXT NOT NULL,
  machine_name TEXT NOT NULL,
  run_id TEXT NOT NULL,
  time INTEGER NOT NULL,
  identities TEXT NOT NULL,
  satisfied TEXT NOT NULL,
  envelope TEXT NOT NULL
) STRICT;
CREATE INDEX attestations_machine ON attestations (machine_uuid, sequence);

CREATE TABLE recipes (
  id TEXT NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL,
  digest TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE overrides (
  id TEXT NOT NULL PRIMARY KEY,
  machine_uuid TEXT NOT NULL,
  identities TEXT NOT NULL,
  reason TEXT NOT NULL,
  actor TEXT NOT NULL,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL
) STRICT;
CREATE INDEX overrides_machine ON overrides (machine_uuid, expires);

CREATE TABLE policy (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  policy TEXT NOT NULL,
  origin TEXT NOT NULL,
  time INTEGER NOT NULL
) STRICT;

CREATE TABLE audit (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  time INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  data TEXT NOT NULL,
  previous TEXT NOT NULL,
  digest TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows cannot be changed'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows cannot be deleted'); END;
