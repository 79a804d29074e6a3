#!/usr/bin/env bash
# Records that something else than vm-patch wrote: named by audit verify, refused by whoever would write on, denied by the real gate;
# and the way out. Needs no appliance: a bare image is attested by its direct reading, and the gate gets the XML of a machine on it.
set -euo pipefail  # without its variables nothing may run
# shellcheck source=../support/e2e.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/e2e.sh"

state=$WORK/state anchor=$WORK/state.anchor disk=$WORK/web01.raw
copy "$(image raw mini-debian)" "$disk"
debugfs -R 'cat /etc/demo-conf.conf' "$disk" >"$WORK/demo-conf.conf" 2>/dev/null
[ -s "$WORK/demo-conf.conf" ] || failed 'the test guest has no /etc/demo-conf.conf'
trusted_author

# The group opens as much as a group can.
cat >"$WORK/vm-patch.yaml" <<'YAML'
schema: vm-patch/config/v1
groups:
  - name: web
    match: {names: ["web*"]}
    baseline: {attested: true}
    on_error: open
YAML

# bundle_version N: r-N.vmpatch holds on the guest as it is.
bundle_version() {
  cat >"$WORK/r.yaml" <<YAML
schema: vm-patch/recipe/v1
id: demo-conf
version: $1
title: The configuration of the demo
issued: 2020-01-01
applies_to:
  os: {id: debian}
payloads:
  - {name: demo-conf.conf, sha256: "$(digest_of "$WORK/demo-conf.conf")", size: $(stat -c %s "$WORK/demo-conf.conf")}
steps:
  - file: {path: /etc/demo-conf.conf, payload: demo-conf.conf, mode: "0644", owner: root, group: root}
YAML
  expect_exit 0 vm-patch recipe bundle "$WORK/r.yaml" --payloads "$WORK" --key "$WORK/author" -o "$WORK/r-$1.vmpatch"
}
# sql DATABASE STATEMENTS: as root with the sqlite3 tool could. The triggers are there again afterwards.
sql() {
  python3 - "$state/$1" "$2" <<'PYTHON'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
for name, _ in triggers: db.execute(f"DROP TRIGGER {name}")
db.executescript(sys.argv[2])
for _, text in triggers: db.execute(text)
db.close()
PYTHON
}
value() { python3 -c 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])' "$state/$1" "$2"; }
# keep NAME, back NAME: the state with its anchor.
keep() { rm -rf "$WORK/$1" && mkdir "$WORK/$1" && cp -a "$state" "$anchor" "$WORK/$1/"; }
back() { rm -rf "$state" "$anchor" && cp -a "$WORK/$1/." "$WORK/"; }
# gate OPERATION: libvirt's call.
gate() { "$VMPATCH_GATE" --state-dir "$state" -- web01 "$1" begin - <"$WORK/web01.xml"; }
allowed() { expect_exit 0 gate prepare && expect_exit 0 gate release; }
# tampered REGEX: verify says it, the gate denies, and nobody writes on.
tampered() {
  expect_exit 5 vm-patch audit verify
  expect_text "$ERR" "$1"
  expect_exit 20 gate prepare
  expect_text "$ERR" 'denied: records-tampered: '
}

title 'an attested machine starts, and everything holds'
bundle_version 2
bundle_version 3
expect_exit 0 vm-patch gate publish
expect_exit 0 vm-patch verify -a "$disk" --format raw -r "$WORK/r-2.vmpatch"
expect_exit 0 vm-patch verify -a "$disk" --format raw -r "$WORK/r-3.vmpatch"
uuid=$(value ledger.sqlite 'SELECT machine_uuid FROM attestations')
cat >"$WORK/web01.xml" <<XML
<domain type='qemu'><name>web01</name><uuid>$uuid</uuid><memory>65536</memory><os><type>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='$disk'/><target dev='image' bus='virtio'/></disk></devices></domain>
XML
allowed
expect_exit 0 vm-patch audit verify
expect_text "$OUT" '^ledger .* chain and records hold, anchor at row [0-9]+'
expect_text "$OUT" '^gate records .* chain and records hold'
expect_text "$OUT" '^attestations +2, signatures hold'
keep good

title 'a forged override does not open the gate'
python3 - "$disk" <<'PYTHON'
import sys
with open(sys.argv[1], "r+b") as disk: disk.write(disk.read(1))
PYTHON
expect_exit 20 gate prepare
expect_text "$ERR" 'denied: unattested-change: '
expect_exit 0 vm-patch gate override -a "$disk" --format raw --reason 'a real one'
identities=$(value ledger.sqlite 'SELECT identities FROM overrides')
expect_exit 0 gate prepare
back good
expect_exit 20 gate prepare
expect_text "$ERR" 'denied: unattested-change: '
now=$(date +%s)000000000
sql ledger.sqlite "INSERT INTO overrides VALUES ('forged', '$uuid', '$identities', 'none', 'nobody', $now - 1000000000, $now + 3600000000000)"
tampered "record override/$uuid/forged was put in by something else than vm-patch"
expect_exit 5 vm-patch gate override -a "$disk" --format raw --reason 'on top of it'
back good
expect_exit 0 vm-patch verify -a "$disk" --format raw -r "$WORK/r-3.vmpatch"
allowed
keep good

title 'nor does one behind the seal of a genuine one, of the same id'
expect_exit 0 vm-patch gate override -a "$disk" --format raw --reason 'a real one, never used'
python3 - "$disk" <<'PYTHON'
import sys
with open(sys.argv[1], "r+b") as disk: disk.write(disk.read(1))
PYTHON
expect_exit 20 gate prepare
expect_text "$ERR" 'denied: unattested-change: '
expect_exit 0 vm-patch gate override -a "$disk" --format raw --reason 'to know the disks as they are'
identities=$(value ledger.sqlite "SELECT identities FROM overrides WHERE reason LIKE 'to know%'")
id=$(value ledger.sqlite "SELECT id FROM overrides WHERE reason LIKE 'a real%'")
expect_exit 0 gate prepare
expect_exit 20 gate prepare
# Its unique key is away while the second row goes in.
sql ledger.sqlite "CREATE TEMP TABLE kept AS SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema
    WHERE tbl_name = 'overrides' AND (name = 'overrides' OR sql IS NULL);
  PRAGMA writable_schema = ON;
  UPDATE sqlite_schema SET sql = replace(sql, ' PRIMARY KEY', '') WHERE name = 'overrides';
  DELETE FROM sqlite_schema WHERE tbl_name = 'overrides' AND sql IS NULL;
  PRAGMA writable_schema = RESET;
  INSERT INTO overrides (rowid, id, machine_uuid, identities, reason, actor, created, expires)
    SELECT -1, id, machine_uuid, '$identities', 'forged', actor, created, expires - 1 FROM overrides WHERE id = '$id';
  PRAGMA writable_schema = ON;
  UPDATE sqlite_schema SET sql = (SELECT sql FROM kept WHERE name = 'overrides') WHERE name = 'overrides';
  INSERT INTO sqlite_schema SELECT * FROM kept WHERE sql IS NULL;
  PRAGMA writable_schema = RESET"
tampered "record override/$uuid/$id is there twice"
expect_exit 5 vm-patch audit verify
expect_text "$ERR" 'ledger.sqlite: the file is not sound: '
back good
expect_exit 0 vm-patch verify -a "$disk" --format raw -r "$WORK/r-3.vmpatch"
allowed
keep good

title 'a lowered recipe version does not bring the old recipe back'
expect_exit 5 vm-patch plan -a "$disk" --format raw -r "$WORK/r-2.vmpatch"
expect_text "$ERR" 'older than version 3'
sql ledger.sqlite "UPDATE recipes SET version = 1, digest = '00'"
expect_exit 5 vm-patch audit verify
expect_text "$ERR" 'record recipe/demo-conf was changed by something else than vm-patch'
expect_exit 5 vm-patch plan -a "$disk" --format raw -r "$WORK/r-2.vmpatch"
expect_text "$ERR" 'record recipe/demo-conf was changed'
back good
sql ledger.sqlite 'DELETE FROM recipes'
expect_exit 5 vm-patch plan -a "$disk" --format raw -r "$WORK/r-2.vmpatch"
expect_text "$ERR" 'record recipe/demo-conf is missing'
back good

title 'a deleted newest attestation, or a policy of before, is seen by verify and gate'
sql ledger.sqlite 'DELETE FROM attestations WHERE sequence = (SELECT max(sequence) FROM attestations)'
tampered "record attestation/$uuid/[0-9]+ is missing"
expect_exit 5 vm-patch status
back good
sql ledger.sqlite "UPDATE policy SET policy = replace(policy, '\"attested\":true', '\"attested\":false')"
tampered 'record policy was changed by something else than vm-patch'
expect_exit 5 vm-patch gate publish
back good

title 'a custody that was rewritten is seen by verify and gate'
sql custody.sqlite 'UPDATE custody SET unbroken = 1 - unbroken'
tampered "record custody/$uuid was changed by something else than vm-patch"
back good

title 'an attestation that nobody signed is named, also when a newer one follows, and accepting it opens nothing'
sql ledger.sqlite "UPDATE attestations SET satisfied = '[]' WHERE sequence = 1"
expect_exit 5 vm-patch audit verify
expect_text "$ERR" "record attestation/$uuid/0*1 was changed"
back good
sql ledger.sqlite "INSERT INTO attestations (machine_uuid, machine_name, run_id, time, identities, satisfied, envelope) SELECT machine_uuid, machine_name, run_id, time + 1, identities, satisfied, envelope FROM attestations ORDER BY sequence DESC LIMIT 1"
tampered "record attestation/$uuid/[0-9]+ was put in by something else than vm-patch"
expect_exit 0 vm-patch audit accept --yes --reason 'somebody tried something'
expect_exit 0 vm-patch audit verify
expect_exit 20 gate prepare
expect_text "$ERR" 'denied: [a-z-]*attest[a-z-]*: '
back good

title 'added triggers and views are named'
sql ledger.sqlite 'CREATE TRIGGER swallow BEFORE INSERT ON runs BEGIN SELECT RAISE(IGNORE); END; CREATE VIEW v AS SELECT 1'
tampered 'trigger swallow was added to the schema'
expect_text "$ERR" 'records-tampered'
back good

title 'an older copy of the whole database is seen, and no command writes on'
keep older
expect_exit 0 vm-patch verify -a "$disk" --format raw -r "$WORK/r-3.vmpatch"
cp -a "$anchor" "$WORK/newer.anchor"
back older
cp -a "$WORK/newer.anchor" "$anchor"
tampered 'ledger.sqlite: it is older than its anchor .*/state\.anchor: it ends at audit row [0-9]+, and the anchor knows row [0-9]+ of 20'
for verb in 'gate publish' "verify -a $disk --format raw -r $WORK/r-3.vmpatch" recover history; do
  # shellcheck disable=SC2086  # no path here has a space
  expect_exit 5 vm-patch $verb
  expect_text "$ERR" 'is older than its anchor'
done
expect_exit 0 vm-patch audit list
expect_exit 3 vm-patch gate explain -a "$disk" --format raw
expect_text "$OUT" 'rule +records-tampered'

title 'an operator who restored a backup says so, and everything works again'
expect_exit 2 vm-patch audit accept --yes
expect_exit 2 vm-patch audit accept --reason 'nobody is asked here'
expect_text "$ERR" 'it is older than its anchor'
expect_exit 5 vm-patch audit verify
expect_exit 0 vm-patch audit accept --yes --reason 'host restored from the backup of Monday'
expect_text "$ERR" 'it is older than its anchor'
expect_exit 0 vm-patch audit verify
expect_text "$OUT" 'accepted at row [0-9]+ on 20.* by .*: host restored from the backup of Monday'
expect_exit 0 vm-patch audit list
expect_text "$OUT" 'records\.accepted'
allowed
expect_exit 0 vm-patch gate publish
expect_exit 0 vm-patch audit accept --yes --reason 'once more'
expect_text "$OUT" 'nothing to accept'

title 'a database that is gone is not made anew behind its anchor'
rm "$state"/custody.sqlite*
expect_exit 5 vm-patch audit verify
expect_exit 20 gate prepare
expect_text "$ERR" 'denied: records-tampered: .*custody\.sqlite is missing'
[ ! -e "$state/custody.sqlite" ] || failed 'it was made anew'
back good
rm "$state"/ledger.sqlite*
tampered 'ledger\.sqlite: .*there is no .*/ledger\.sqlite'
for verb in history status recover 'gate publish'; do
  # shellcheck disable=SC2086  # words
  expect_exit 5 vm-patch $verb
  expect_text "$ERR" 'ledger\.sqlite is missing, and its anchor .* knows'
done
[ ! -e "$state/ledger.sqlite" ] || failed 'it was made anew'
back good
rm "$anchor"
tampered 'its anchor .*/state\.anchor is missing'
expect_exit 5 vm-patch gate publish
back good

title 'what is lost is forgotten only by name, and what was closed stays closed'
truncate -s 1M "$WORK/web02.raw"
sed "s:web01:web02:g; s:$uuid:$(cat /proc/sys/kernel/random/uuid):" "$WORK/web01.xml" >"$WORK/web02.xml"
second() { "$VMPATCH_GATE" --state-dir "$state" -- web02 prepare begin - <"$WORK/web02.xml"; }
expect_exit 20 second
expect_text "$ERR" 'denied: not-attested: '
rm -f "$state"/ledger.sqlite-*
echo 'no database' >"$state/ledger.sqlite"
expect_exit 20 second
expect_text "$ERR" 'denied: records-tampered: .*vm-patch audit accept. says what is lost'
expect_exit 4 vm-patch audit accept --yes --reason 'disk failed'
expect_text "$ERR" 'ledger\.sqlite is lost: restore it from a backup, or say .--forget ledger.*forgotten is then which machines were attested'
mv "$state/ledger.sqlite" "$WORK/moved-away"
expect_exit 4 vm-patch audit accept --yes --reason 'disk failed'
mv "$WORK/moved-away" "$state/ledger.sqlite"
expect_exit 20 second
mkdir -p "$state/runs/of-somebody"
expect_exit 4 vm-patch audit accept --yes --reason 'disk failed' --forget ledger
expect_text "$ERR" 'folder.* of runs .*/runs/of-somebody.*may have been writing'
expect_same 'the ledger' 'no database' "$(cat "$state/ledger.sqlite")"
rmdir "$state/runs/of-somebody"
keep lost
expect_exit 0 "$VMPATCH" --state-dir "$state" audit accept --yes --reason 'no configuration at hand' --forget ledger
expect_text "$ERR" 'warning: the records have no policy, and every start is denied until one is published'
expect_exit 20 second
expect_text "$ERR" "denied: records-tampered: .*had no policy when its records were accepted.*run 'vm-patch gate publish'"
expect_exit 0 vm-patch audit verify
expect_text "$ERR" 'warning: .*ledger\.sqlite: it had no policy .* every start is denied'
expect_exit 0 vm-patch gate publish
expect_exit 20 second
expect_text "$ERR" 'denied: not-attested: '
back lost
expect_exit 0 vm-patch audit accept --yes --reason 'disk failed' --forget ledger
expect_same 'what was set aside' 'no database' "$(cat "$state/ledger.sqlite.forgotten-1")"
expect_exit 20 second
expect_text "$ERR" 'denied: not-attested: '
expect_exit 20 gate prepare
expect_exit 0 vm-patch audit verify
expect_text "$OUT" 'nothing was known any more of what was before'
expect_exit 4 vm-patch audit accept --yes --reason 'too much' --forget gate
back good
python3 - "$disk" <<'PYTHON'
import sys
with open(sys.argv[1], "r+b") as disk: disk.write(disk.read(1))
PYTHON
expect_exit 0 vm-patch gate override -a "$disk" --format raw --reason 'to be used once'
expect_exit 0 gate prepare
expect_exit 20 gate prepare
rm "$state"/custody.sqlite*
expect_exit 4 vm-patch audit accept --yes --reason 'disk failed'
expect_text "$ERR" 'say .--forget gate.*memory in a file of .virsh save'
expect_exit 0 vm-patch audit accept --yes --reason 'disk failed' --forget gate
expect_exit 20 gate prepare
expect_text "$ERR" 'denied: unattested-change: '
expect_exit 0 vm-patch audit list
expect_text "$OUT" 'overrides\.voided'
back good
expect_exit 0 vm-patch verify -a "$disk" --format raw -r "$WORK/r-3.vmpatch"
allowed
keep good

title 'an anchor that stays behind, or only grows, is told and stops nothing'
# read_only COMMAND, mounted COMMAND: where the anchor cannot be written, or only be appended to and not replaced.
# shellcheck disable=SC2016  # expanded by the inner shell
read_only() { unshare -m sh -ec 'mount --bind "$0" "$0"; mount -o remount,ro,bind "$0"; exec "$@"' "$anchor" "$@"; }
# shellcheck disable=SC2016  # expanded by the inner shell
mounted() { unshare -m sh -ec 'mount --bind "$0" "$0"; exec "$@"' "$anchor" "$@"; }
program=("$VMPATCH" --state-dir "$state" --config "$WORK/vm-patch.yaml")
expect_exit 0 read_only "${program[@]}" gate publish
expect_text "$ERR" 'warning: the anchor of the records was not moved on.*Read-only file system'
expect_exit 0 read_only "${program[@]}" audit verify
expect_text "$ERR" 'warning: the anchor .*/state\.anchor is [0-9]+ row\(s\) behind .*/ledger\.sqlite and cannot be moved on .*Read-only'
expect_exit 3 read_only "${program[@]}" gate status --no-proof --hooks-dir "$WORK/none"
expect_text "$OUT" '^anchor +NOT OK .*cannot be moved on'
expect_exit 0 vm-patch audit verify
expect_text "$ERR" 'warning: the anchor .* row\(s\) behind .*, and is moved on'
expect_exit 0 vm-patch audit verify
expect_no_text "$ERR" 'anchor'
expect_exit 3 vm-patch gate status --no-proof --hooks-dir "$WORK/none"
expect_text "$OUT" '^anchor +ok '
python3 - "$anchor" <<'PYTHON'
import sys
with open(sys.argv[1]) as anchor: last = anchor.read().splitlines()[-1]
with open(sys.argv[1], "a") as anchor: anchor.write((last + "\n") * 140000)
PYTHON
expect_exit 0 mounted "$VMPATCH_GATE" --state-dir "$state" -- web01 prepare begin - <"$WORK/web01.xml"
expect_exit 0 mounted "${program[@]}" audit verify
expect_text "$ERR" 'warning: the anchor .* bytes: it can be appended to and not be replaced, so it only grows'
sql ledger.sqlite 'CREATE VIEW v AS SELECT 1'
expect_exit 0 mounted "${program[@]}" audit accept --yes --reason 'the anchor is a mount'
expect_exit 0 mounted "${program[@]}" audit verify
expect_no_text "$ERR" 'anchor'
back good

title 'a version that was lowered, and an anchor that is none, have a way out that works'
sql ledger.sqlite 'PRAGMA user_version = 2'
sql custody.sqlite 'PRAGMA user_version = 1'
tampered 'ledger\.sqlite: it says schema version 2, and its tables are those of version 3'
expect_exit 0 vm-patch audit accept --yes --reason 'somebody tried something'
allowed
back good
rm "$anchor"
mkdir "$anchor"
tampered 'anchor .*/state\.anchor is no regular file; find out who put it there, move it away, and run .vm-patch audit accept'
expect_exit 4 vm-patch audit accept --yes --reason 'to see what it says'
expect_text "$ERR" 'anchor .* cannot be begun anew: .*; move away what is there'
rmdir "$anchor"
expect_exit 0 vm-patch audit accept --yes --reason 'moved away'
expect_exit 0 vm-patch audit verify
allowed
back good

title 'a ledger of before gets an anchor by its first command'
rm "$anchor"
sql ledger.sqlite "DROP TABLE seals; DROP TABLE seal_nodes; ALTER TABLE audit DROP COLUMN records; PRAGMA user_version = 2"
sql custody.sqlite "DROP TABLE seals; DROP TABLE seal_nodes; ALTER TABLE audit DROP COLUMN records; PRAGMA user_version = 2"
python3 - "$state" <<'PYTHON'
# Rows as the first version wrote them: without the digest over the records.
import hashlib, sqlite3, sys
for name in "ledger", "custody":
    db = sqlite3.connect(f"{sys.argv[1]}/{name}.sqlite", isolation_level=None)
    triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE name LIKE 'audit_no_%'").fetchall()
    for trigger, _ in triggers: db.execute(f"DROP TRIGGER {trigger}")
    previous = "0" * 64
    rows = db.execute("SELECT sequence, time, actor, action, subject, data FROM audit ORDER BY sequence").fetchall()
    for row in rows:
        fields = [str(field).encode() for field in row] + [previous.encode()]
        text = b"vm-patch/audit/v1\n" + b"".join(b"%d:%s," % (len(field), field) for field in fields)
        digest = hashlib.sha256(text).hexdigest()
        db.execute("UPDATE audit SET previous = ?, digest = ? WHERE sequence = ?", (previous, digest, row[0]))
        previous = digest
    for _, text in triggers: db.execute(text)
    db.close()
PYTHON
expect_exit 0 vm-patch audit verify
expect_text "$OUT" '^ledger .* anchor at row [0-9]+'
[ "$(stat -c %a "$anchor")" = 600 ] || failed 'the anchor is not private'
expect_exit 0 vm-patch audit list --limit 100
expect_text "$OUT" 'records\.sealed'
allowed
back good

title 'the configuration puts the anchor elsewhere; syslog and a command hear of every commit'
mkdir "$WORK/worm"
cat >"$WORK/tell" <<SCRIPT
#!/bin/sh
cat >>"$WORK/told"
SCRIPT
chmod 0755 "$WORK/tell"
printf 'audit:\n  anchor: %s\n  command: [%s]\n' "$WORK/worm/heads" "$WORK/tell" >>"$WORK/vm-patch.yaml"
# A /dev of our own with a log socket in it: nobody else is told.
mkdir "$WORK/dev"
with_syslog() {
  # shellcheck disable=SC2016  # expanded by the inner shell
  unshare -m sh -ec '
    for node in null zero full random urandom tty; do
      touch "$0/$node" && mount --bind "/dev/$node" "$0/$node"
    done
    mount --rbind "$0" /dev
    python3 -c "
import socket, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind(\"/dev/log\")
open(sys.argv[1] + \"/listening\", \"w\").close()
log.settimeout(60)
with open(sys.argv[1] + \"/syslog\", \"ab\") as out: out.write(log.recv(65536) + b\"\\n\")
" "$1" & listener=$!
    while [ ! -e "$1/listening" ]; do sleep 0.05; done
    shift
    "$@"
    wait $listener' "$WORK/dev" "$WORK" "$@"
}
expect_exit 0 with_syslog "$VMPATCH" --state-dir "$state" --config "$WORK/vm-patch.yaml" gate publish
[ -L "$anchor" ] || failed 'the anchor is no link'
expect_same 'where the anchor lies' "$WORK/worm/heads" "$(readlink -f "$anchor")"
# Facility 10 (authpriv), severity 5 (notice).
expect_text "$WORK/syslog" '^<85>.*vm-patch: audit: ledger row [0-9]+ [0-9a-f]{64}; gate row [0-9]+ [0-9a-f]{64}'
expect_text "$WORK/told" "^vm-patch/anchor/v1 ledger $(value ledger.sqlite 'SELECT max(sequence) FROM audit') $(value ledger.sqlite 'SELECT digest FROM audit ORDER BY sequence DESC LIMIT 1') "
expect_text "$WORK/told" '^vm-patch/anchor/v1 gate '
expect_exit 0 vm-patch audit verify
allowed
expect_text "$WORK/worm/heads" "^vm-patch/anchor/v1 gate $(value custody.sqlite 'SELECT max(sequence) FROM audit') "
printf '#!/bin/sh\nexit 3\n' >"$WORK/tell"
expect_exit 0 vm-patch gate publish
expect_text "$ERR" 'warning: the audit command .*/tell was not told of row [0-9]+'
rm "$WORK/worm/heads"
tampered 'its anchor .*/state\.anchor is missing'
echo 'all done'
