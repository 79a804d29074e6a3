#!/usr/bin/env bash
# Everything but the gate works for an ordinary user on own images. One appliance launch, and one appliance built for it.
set -euo pipefail  # without its variables nothing may run
. "$(dirname "$0")/../support/e2e.sh"
[ "$(id -u)" = 0 ] || failed 'needs root, to become somebody else'

user=65534
home=$WORK/home
debs=$WORK/debs
mkdir "$home" "$debs"
copy "$(image qcow2 mini-debian)" "$home/disk.qcow2"
cp "$(image debs mini-debian)"/demo-conf_*.deb "$debs"
chown -R "$user:$user" "$home"
mkdir -m 0700 "$WORK/run"
chown "$user:$user" "$WORK/run"
disk=$home/disk.qcow2

# vm-patch as that user: no --state-dir, no configuration, nothing of root's environment.
vm-patch() {
  setpriv --reuid=$user --regid=$user --clear-groups --no-new-privs --inh-caps=-all \
    env -i -C "$home" PATH="$PATH" HOME="$home" XDG_STATE_HOME="$home/state" XDG_CACHE_HOME="$home/cache" \
    XDG_CONFIG_HOME="$home/config" XDG_RUNTIME_DIR="$WORK/run" TMPDIR="$home" "$VMPATCH" "$@"
}
before=$(digest_of "$disk")
elsewhere=$(stat -c %Z "/tmp/vm-patch-$user" 2>/dev/null || echo none)

title 'the user makes a key, trusts it, and signs a bundle'
expect_exit 0 vm-patch key generate "$home/author"
expect_exit 0 vm-patch key trust "$home/author.pub" --role author
expect_exit 0 vm-patch recipe from-packages "$debs/demo-conf_2.0_all.deb" --id demo -o "$home/demo.yaml"
expect_exit 0 vm-patch recipe bundle "$home/demo.yaml" --payloads "$debs" --key "$home/author" -o "$home/demo.vmpatch"
expect_exit 0 vm-patch recipe verify "$home/demo.vmpatch"

cat >"$home/name.yaml" <<'YAML'
schema: vm-patch/recipe/v1
id: name
version: 1
title: The name that it has already
issued: 2020-01-01
applies_to: {os: {id: debian}}
steps: [{file: {path: /etc/hostname, content: "mini\n"}}]
YAML
chown "$user:$user" "$home/name.yaml"
expect_exit 0 vm-patch key generate "$home/other"
expect_exit 0 vm-patch key trust "$home/other.pub" --role author
expect_exit 0 vm-patch recipe bundle "$home/name.yaml" --key "$home/other" -o "$home/name.vmpatch"
# attested: what the newest attestation names; `status` would start a libvirt of the user's
attested() {
  python3 - "$home/state/vm-patch/ledger.sqlite" <<'PYTHON'
import base64, json, sqlite3, sys
rows = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute("SELECT envelope FROM attestations ORDER BY sequence DESC LIMIT 1").fetchall()
statement = json.loads(base64.b64decode(json.loads(rows[0][0])["payload"]))
print(*(r["id"] + ":" + r["proof"] for r in statement["satisfied"]))
PYTHON
}
expect_exit 0 vm-patch verify -a "$disk" --format qcow2 -r "$home/name.vmpatch"

title 'inspect and plan read the image and leave it as it is'
expect_exit 0 vm-patch inspect -a "$disk" --format qcow2 --json
expect_text "$OUT" '"demo-conf"'
expect_exit 3 vm-patch plan -a "$disk" --format qcow2 -r "$home/demo.vmpatch"
expect_text "$OUT" 'demo-conf +1\.0 +-> +2\.0'
expect_same 'digest of the image' "$before" "$(digest_of "$disk")"

title 'apply patches the image, and verify and history say so'
expect_exit 0 vm-patch apply -a "$disk" --format qcow2 -r "$home/demo.vmpatch" --yes
expect_text "$OUT" 'patched by demo version 1'
run=$(sed -n 's/.*vm-patch rollback \([0-9a-f-]*\).*/\1/p' "$OUT")
expect_exit 0 vm-patch verify -a "$disk" --format qcow2 -r "$home/demo.vmpatch"
expect_exit 0 vm-patch inspect -a "$disk" --format qcow2 --packages
expect_text "$OUT" 'demo-conf.*2\.0'
expect_exit 0 vm-patch history
expect_text "$OUT" "demo v1 +attested +kept +$run"
expect_exit 0 vm-patch audit verify

title 'rollback gives the content back'
expect_exit 0 vm-patch rollback "$run"
expect_exit 0 qemu-img compare -f qcow2 -F qcow2 "$disk" "$(image qcow2 mini-debian)"
expect_exit 0 vm-patch recover

title 'what held before is attested again where it is proved on what comes back, and nothing else'
expect_same 'what is attested' 'name:delivered' "$(attested)"
vm-patch -q key revoke "$(vm-patch key list --json | python3 -c 'import json, sys; print(next(k["id"] for k in json.load(sys.stdin)["keys"] if k["name"] == "other"))')" --reason 'laptop lost' >/dev/null
rolled_back() { vm-patch history --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["runs"][0]["id"])'; }
expect_exit 0 vm-patch rollback "$(rolled_back)"
expect_text "$OUT" 'no longer attested: name version 1: .*laptop lost'
expect_same 'what is attested' 'demo:delivered' "$(attested)"
expect_exit 0 vm-patch rollback "$(rolled_back)"
expect_same 'what is attested' '' "$(attested)"
expect_exit 0 qemu-img compare -f qcow2 -F qcow2 "$disk" "$(image qcow2 mini-debian)"

title 'everything belongs to the user and nobody else reads it, and nothing is left outside of the own folders'
[ -z "$(find "$home" "$WORK/run" ! -user $user)" ] || failed "not the user's: $(find "$home" "$WORK/run" ! -user $user)"
expect_same 'mode of the state folder' 700 "$(stat -c %a "$home/state/vm-patch")"
# XDG_RUNTIME_DIR also shows whether libvirt was made to start a session daemon for bare images.
left=$(find "$home/state/vm-patch/runs" "$WORK/run/vm-patch" "$WORK/run/libvirt" -mindepth 1 2>/dev/null || true)
expect_same 'what is left over' '' "$left"
expect_same "/tmp/vm-patch-$user, which XDG_RUNTIME_DIR makes needless" "$elsewhere" "$(stat -c %Z "/tmp/vm-patch-$user" 2>/dev/null || echo none)"

title "somebody else's image is refused and stays as it is"
copy "$(image qcow2 mini-debian)" "$WORK/root.qcow2"
chmod 0644 "$WORK/root.qcow2"
before=$(digest_of "$WORK/root.qcow2")
expect_exit 4 vm-patch apply -a "$WORK/root.qcow2" --format qcow2 -r "$home/demo.vmpatch" --yes
expect_text "$ERR" 'root.qcow2: Permission denied; run vm-patch as a user who may write it'
expect_exit 0 vm-patch recover
expect_text "$OUT" 'no interrupted run'
expect_same 'digest of the image' "$before" "$(digest_of "$WORK/root.qcow2")"

title "an image of a machine of the user's own libvirt is refused, also where that is not running: it is asked, and if it cannot start, its folders"
as_user() { setpriv --reuid=$user --regid=$user --clear-groups env -i -C "$home" PATH="$PATH" HOME="$home" XDG_CONFIG_HOME="$home/config" \
  XDG_CACHE_HOME="$home/cache" XDG_RUNTIME_DIR="$WORK/run" "$@"; }
end_session() {
  local name
  for name in libvirtd virtlogd; do
    [ ! -s "$WORK/run/libvirt/$name.pid" ] || kill "$(cat "$WORK/run/libvirt/$name.pid")" || true
  done
  for _ in {1..100}; do [ -e "$WORK/run/libvirt/libvirt-sock" ] || return 0; sleep 0.1; done
  failed 'the session libvirtd did not end'
}
at_end=(end_session "${at_end[@]}")
cat >"$home/own.xml" <<XML
<domain type='qemu'><name>own</name><memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm</type></os>
<devices><disk type='file'><driver name='qemu' type='qcow2'/><source file='$disk'/><target dev='vda' bus='virtio'/></disk></devices></domain>
XML
as_user virsh -q -c qemu:///session define "$home/own.xml" >"$OUT"
end_session
expect_exit 4 vm-patch plan -a "$disk" --format qcow2 -r "$home/demo.vmpatch"
expect_text "$OUT" 'shares a disk with own; name that machine with -d instead'
end_session
expect_exit 4 vm-patch -c 'qemu+unix:///session?mode=direct' plan -a "$disk" --format qcow2 -r "$home/demo.vmpatch" --without-libvirt
expect_text "$OUT" 'is disk vda of own, which is defined'
