CREATE TABLE facts (
  machine_uuid TEXT PRIMARY KEY,
  identities TEXT NOT NULL,
  facts TEXT NOT NULL,
  read INTEGER NOT NULL,
  digest TEXT NOT NULL
) STRICT;
