#!/usr/bin/env bash
# A template with a clone, on a real libvirtd with the gate: one refresh publishes the template's new version and patches the clone; what stood on
# the old version sees what it saw; back, forward, and away with what nobody needs.
set -euo pipefail  # without its variables nothing may run
. "$(dirname "$0")/../support/e2e.sh"
. "$(dirname "$0")/../support/apt_repository.sh"

debs=$(image debs mini-debian)
libvirt=$WORK/libvirt
inside() { "$VMPATCH_SOURCE_DIR/tests/support/private-libvirtd.sh" exec "$libvirt" "$@"; }
vm-patch() { inside "$VMPATCH" --state-dir "$WORK/state" --config "$WORK/vm-patch.yaml" -c qemu:///system "$@"; }
virsh() { inside "$(type -P virsh)" -q -c qemu:///system "$@"; }
file_of() { virsh domblklist "$1" | awk '$1 == "vda" {print $2}'; }
# of EXPRESSION: in the JSON on standard output
of() { python3 -c 'import json, sys; j = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$OUT" "$1"; }
define() { # define NAME FILE FORMAT
  cat >"$WORK/$1.xml" <<XML
<domain type='qemu'>
  <name>$1</name>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='$3'/>
      <source file='$2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
  </devices>
</domain>
XML
  virsh define "$WORK/$1.xml"
}

"$VMPATCH_SOURCE_DIR/tests/support/private-libvirtd.sh" start "$libvirt" >/dev/null
at_end+=('"$VMPATCH_SOURCE_DIR/tests/support/private-libvirtd.sh" stop "$libvirt"')
mkdir "$WORK/images"
old=$WORK/images/debian-12.raw
new=$WORK/images/debian-12.v2.raw
copy "$(image raw mini-debian)" "$old"
chmod 0640 "$old"
chown 0:65534 "$old"
qemu-img create -q -f qcow2 -b "$old" -F raw "$WORK/images/web01.qcow2"
define debian-12 "$old" raw
define web01 "$WORK/images/web01.qcow2" qcow2
virsh pool-create-as images dir --target "$WORK/images"

signing_key archive
published "$WORK/repo" stable archive "$debs"/{libdemo,demo-app,demo-service}_2.0_all.deb
{
  printf 'schema: vm-patch/config/v1\ngroups:\n  - name: all\n    match: {names: ["*"]}\n    baseline: {attested: true}\nrepositories:\n'
  repository demo "file://$WORK/repo/" stable archive 'security: true'
} >"$WORK/vm-patch.yaml"
vm-patch -q key generate "$WORK/state/keys/refresher" >"$OUT"
vm-patch -q key trust "$WORK/state/keys/refresher.pub" --role refresher >"$OUT"
expect_exit 0 vm-patch gate install --program "$VMPATCH_GATE" --no-proof

title 'a machine that others stand on is a template, and its first version is what there was'
expect_exit 0 vm-patch template list
expect_text "$OUT" '^debian-12 +1 +1 +- +1 +0 '
expect_exit 0 vm-patch template show --json
expect_same 'who stands on it' "['web01']" "$(of 'j["templates"][0]["versions"][0]["clones"]')"

title 'one refresh: the template is published as a new version, the clone is patched itself, and nobody below either is written'
before=$(digest_of "$old")
expect_exit 3 vm-patch refresh --all --dry-run
expect_same 'the old file' "$before" "$(digest_of "$old")"
expect_exit 0 vm-patch refresh --all --yes --json
expect_same 'results' "{'debian-12': 'updated', 'web01': 'updated'}" "$(of '{m["machine"]["name"]: m["result"] for m in j["machines"]}')"
expect_same 'published' "[{'target': 'vda', 'from': '$old', 'to': '$new'}]" "$(of '[m["report"]["published"] for m in j["machines"] if m["machine"]["name"] == "debian-12"][0]')"
expect_same 'stale' "['web01']" "$(of '[m["report"]["stale"] for m in j["machines"] if m["machine"]["name"] == "debian-12"][0]')"
expect_same 'the old file' "$before" "$(digest_of "$old")"
expect_same "the template's file" "$new" "$(file_of debian-12)"
expect_same "the clone's file" "$WORK/images/web01.qcow2" "$(file_of web01)"
expect_same 'owner, group, mode' '0:65534 640' "$(stat -c '%u:%g %a' "$new")"
installed() { debugfs -R 'cat /var/lib/dpkg/status' "$1" 2>"$WORK/debugfs" | grep -A8 "^Package: demo-app$" | sed -n 's/^Version: //p'; }
expect_same 'in the old file' 1.0 "$(installed "$old")"
expect_same 'in the new file' 2.0 "$(installed "$new")"
expect_exit 0 qemu-img check -q "$WORK/images/web01.qcow2"
virsh vol-list images | grep -q 'debian-12\.v2\.raw' || failed 'the pool does not list the new file'
[ -z "$(find "$WORK/images" -name '*.part')" ] || failed 'a part was left'

title 'both are attested: the gate lets them start, and a second refresh has nothing to do'
for machine in debian-12 web01; do
  expect_exit 0 virsh start $machine
  virsh destroy $machine
done
expect_exit 0 vm-patch refresh --all --yes --json
expect_same 'results' "['current', 'current']" "$(of '[m["result"] for m in j["machines"]]')"

title 'the clone is stale: how many packages and since when'
expect_exit 0 vm-patch template list
expect_text "$OUT" '^debian-12 +2 +2 +20.* +0 +1 +.*debian-12\.v2\.raw'
expect_exit 0 vm-patch template show -d debian-12
expect_text "$OUT" '^1 +old .* web01 +3 packages, 0 days behind +.*debian-12\.raw'
expect_text "$OUT" '^2 +current +20.* refresh\.debian-12\..* 3 '

title 'a group that is never refreshed is passed over, and refused where it is named'
cp "$WORK/vm-patch.yaml" "$WORK/good.yaml"
sed -i 's/^    baseline: .*/    refresh: {mode: never}/' "$WORK/vm-patch.yaml"
expect_exit 0 vm-patch refresh --all --dry-run --json
expect_same 'results' "['passed-over', 'passed-over']" "$(of '[m["result"] for m in j["machines"]]')"
expect_text "$OUT" 'group all is never refreshed'
expect_exit 4 vm-patch refresh -d web01 --dry-run
expect_text "$OUT" 'group all is never refreshed .*--mode'
expect_exit 0 vm-patch refresh -d web01 --dry-run --mode security
expect_exit 0 vm-patch refresh --all --dry-run --mode security --json
expect_same 'results' "['passed-over', 'passed-over']" "$(of '[m["result"] for m in j["machines"]]')"
cp "$WORK/good.yaml" "$WORK/vm-patch.yaml"

title 'demote brings the version of before back, promote the newer one'
expect_exit 2 vm-patch template demote -d debian-12
expect_exit 0 vm-patch template demote -d debian-12 --yes
expect_same "the template's file" "$old" "$(file_of debian-12)"
expect_exit 4 vm-patch template demote -d debian-12 --yes
expect_text "$ERR" 'no older version'
expect_exit 0 vm-patch template promote -d debian-12 --yes
expect_same "the template's file" "$new" "$(file_of debian-12)"
expect_exit 4 vm-patch template promote -d debian-12 --yes
expect_text "$ERR" 'no newer version'
expect_exit 0 virsh start debian-12
virsh destroy debian-12

title 'prune removes what vm-patch made and nobody needs, and nothing else'
expect_exit 0 vm-patch template prune --keep 0 --yes
expect_text "$OUT" 'Nothing to remove'
expect_exit 0 vm-patch template demote -d debian-12 --yes
expect_exit 0 vm-patch template prune --yes
expect_text "$OUT" 'Nothing to remove'
qemu-img create -q -f qcow2 -b "$new" -F raw "$WORK/images/web02.qcow2"
expect_exit 0 vm-patch template prune --keep 0 --yes
expect_text "$OUT" 'Nothing to remove'
rm "$WORK/images/web02.qcow2"
expect_exit 0 vm-patch template prune --keep 0
expect_text "$OUT" 'would remove debian-12 version 2: .*debian-12\.v2\.raw'
[ -e "$new" ] || failed 'it is gone'
expect_exit 0 vm-patch template prune --keep 0 --yes
[ ! -e "$new" ] || failed 'it is still there'
expect_same 'the old file' "$before" "$(digest_of "$old")"
expect_exit 0 vm-patch template show -d debian-12
expect_text "$OUT" '^2 +gone'
expect_exit 1 vm-patch template promote -d debian-12 --yes
expect_text "$ERR" 'debian-12\.v2\.raw'
expect_same "the template's file" "$old" "$(file_of debian-12)"
expect_exit 0 vm-patch audit verify

title 'after as many failures as the group allows no other of its machines is begun'
copy "$WORK/images/web01.qcow2" "$WORK/images/web03.qcow2"
define web03 "$WORK/images/web03.qcow2" qcow2
published "$WORK/repo" stable archive "$debs/demo-fail_2.0_all.deb"
sed -i 's/^    baseline: .*/&\n    refresh: {halt_after: 1}/' "$WORK/vm-patch.yaml"
expect_exit 1 vm-patch refresh --all --yes --jobs 1 --json
expect_same 'results' "['failed', 'not-begun', 'not-begun']" "$(of '[m["result"] for m in j["machines"]]')"
expect_text "$OUT" 'group all was halted after 1 failures'

title 'an image with clones that no machine of libvirt has is not written, and the way out is told'
virsh undefine debian-12
expect_exit 4 vm-patch refresh -a "$old" --format raw --yes
expect_text "$OUT" 'is the backing file of .*define a machine of libvirt on it'
expect_same 'the old file' "$before" "$(digest_of "$old")"
