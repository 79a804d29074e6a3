-- The gate's own records. Times are nanoseconds since the epoch (UTC). JSON is text.

CREATE TABLE custody (
  machine_uuid TEXT NOT NULL PRIMARY KEY,
  boot_id TEXT NOT NULL,
  opened INTEGER NOT NULL,
  started INTEGER NOT NULL,
  closed INTEGER,
  identities TEXT NOT NULL,
  operation TEXT NOT NULL,
  unbroken INTEGER NOT NULL,
  lost INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE saved (
  machine_uuid TEXT NOT NULL PRIMARY KEY,
  identities TEXT NOT NULL,
  time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE used_overrides (
  id TEXT NOT NULL PRIMARY KEY,
  time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rescans (
  machine_uuid TEXT NOT NULL PRIMARY KEY,
  reason TEXT NOT NULL,
  time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

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
