-- Digest over all records after this row; empty in rows of before.
ALTER TABLE audit ADD COLUMN records TEXT NOT NULL DEFAULT '';

-- The digest of every record that is read to decide, in a tree whose root is in the newest audit row: README.md.
CREATE TABLE seals (
  bucket INTEGER NOT NULL,
  key TEXT NOT NULL,
  digest BLOB NOT NULL,
  PRIMARY KEY (bucket, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE seal_nodes (
  id INTEGER PRIMARY KEY,
  children BLOB NOT NULL
) STRICT;
