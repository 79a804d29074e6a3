-- A restore has its decision in a place of its own; memory that was certainly saved; disks beyond those of the definition.

-- Identities of all disks at the start where these are not `identities`; '' = they are.
ALTER TABLE custody ADD COLUMN live TEXT NOT NULL DEFAULT '';

-- The newest attestation when it was opened; NULL: there was none, or it is not known.
ALTER TABLE custody ADD COLUMN attested INTEGER;

-- 1: saved, 2: certainly not, 0: not known.
ALTER TABLE saved ADD COLUMN memory INTEGER NOT NULL DEFAULT 0;
ALTER TABLE saved ADD COLUMN managed INTEGER NOT NULL DEFAULT 0;
-- Until when memory that was saved to a file was thrown away, as an operator said.
ALTER TABLE saved ADD COLUMN forgotten INTEGER;

CREATE TABLE restores (
  machine_uuid TEXT NOT NULL PRIMARY KEY,
  boot_id TEXT NOT NULL,
  opened INTEGER NOT NULL,
  identities TEXT NOT NULL,
  live TEXT NOT NULL,
  unbroken INTEGER NOT NULL,
  override_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
