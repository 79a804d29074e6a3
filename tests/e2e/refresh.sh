#!/usr/bin/env bash
# refresh on a small guest from a local repository: one command from signed lists to an attested machine; what needs a human or fails leaves
# the disk as it was; a second refresh has nothing to do and launches nothing.
set -euo pipefail  # without its variables nothing may run
. "$(dirname "$0")/../support/e2e.sh"
. "$(dirname "$0")/../support/apt_repository.sh"

debs=$(image debs mini-debian)
disk=$WORK/disk.raw
copy "$(image raw mini-debian)" "$disk"
vm-patch() { "$VMPATCH" --state-dir "$WORK/state" --config "$WORK/vm-patch.yaml" "$@"; }
refresh() { vm-patch refresh -a "$disk" --format raw "$@"; }
plan() { vm-patch plan -a "$disk" --format raw --from-repositories "$@"; }
# machine EXPRESSION: of the one machine in the JSON on standard output
machine() { python3 -c 'import json, sys; m = json.load(open(sys.argv[1]))["machines"][0]; print(eval(sys.argv[2]))' "$OUT" "$1"; }
has_no_runs() { [ -z "$(find "$WORK/state/runs" -mindepth 1 2>/dev/null)" ] || failed 'a run left something'; }

signing_key archive
published "$WORK/repo" stable archive "$debs"/{libdemo,demo-app,demo-service}_2.0_all.deb
{
  printf 'schema: vm-patch/config/v1\nrepositories:\n'
  repository demo "file://$WORK/repo/" stable archive 'security: true'
} >"$WORK/vm-patch.yaml"

title 'without a key that signs its recipes a refresh says how to make one, and writes nothing'
before=$(digest_of "$disk")
expect_exit 1 refresh --yes
expect_text "$ERR" 'vm-patch key generate .*/keys/refresher'
vm-patch -q key generate "$WORK/state/keys/refresher" >"$OUT"
expect_exit 5 refresh --yes
expect_text "$ERR" 'key trust .*/keys/refresher.pub --role refresher'
vm-patch -q key trust "$WORK/state/keys/refresher.pub" --role refresher >"$OUT"
expect_exit 2 refresh
expect_text "$ERR" 'say --yes'

title 'plan --from-repositories: what was never fetched is said, and after repository refresh every change is named'
expect_exit 1 plan
expect_text "$ERR" 'vm-patch repository refresh'
expect_exit 0 vm-patch repository refresh
expect_text "$OUT" '^demo +stable'
expect_exit 3 plan
expect_text "$OUT" '3 packages would be updated'
expect_text "$OUT" 'libdemo:all +1\.0 +-> +2\.0 +security'
expect_text "$OUT" 'not updated, as no repository offers them'
expect_exit 3 plan --exclude 'demo-s*' --json
expect_text "$OUT" '"why": "excluded"'

title 'a dry run says what would be done, and nothing is written'
expect_exit 3 refresh --dry-run --json
expect_same 'result' planned "$(machine 'm["result"]')"
expect_same 'the disk' "$before" "$(digest_of "$disk")"

title 'a refresh patches, proves, commits and attests by a recipe that this host signed'
expect_exit 0 refresh --yes --json
expect_same 'result' updated "$(machine 'm["result"]')"
expect_same 'packages' 3 "$(machine 'len(m["update"]["changes"])')"
expect_same 'proof' delivered "$(machine 'm["report"]["proof"]')"
expect_text "$OUT" 'every version as predicted'
debugfs -R 'cat /var/lib/dpkg/status' "$disk" 2>"$WORK/debugfs" | grep -A8 '^Package: demo-app$' | grep -q '^Version: 2.0' || failed 'demo-app is not 2.0'
run=$(machine 'm["report"]["run"]')
expect_exit 0 vm-patch history
expect_text "$OUT" 'refresh\.debian-12\.'

title 'what only its own key signed comes by no bundle: it vouches for what a refresh makes'
mkdir "$WORK/replay"
python3 - "$WORK/state/payloads/recipes" >"$WORK/replay/recipe.yaml" <<'PY'
import base64, glob, json, sys
print(base64.b64decode(json.load(open(glob.glob(sys.argv[1] + '/*/*.json')[0]))['payload']).decode(), end='')
PY
expect_text "$WORK/replay/recipe.yaml" '^made_from:'
expect_exit 0 vm-patch recipe bundle "$WORK/replay/recipe.yaml" --payloads "$WORK/repo/pool" --key "$WORK/state/keys/refresher" -o "$WORK/replay/r.vmpatch"
expect_exit 5 vm-patch recipe verify "$WORK/replay/r.vmpatch"
expect_text "$ERR" 'only a refresher signed it'
expect_exit 5 vm-patch plan -a "$disk" --format raw -r "$WORK/replay/r.vmpatch"

title 'a second refresh finds the machine current, reads it from the cache and launches nothing'
touch "$WORK/before"
expect_exit 0 refresh --yes --json
expect_same 'result' current "$(machine 'm["result"]')"
[ -z "$(find "$WORK/state/logs" -name '*.log' ! -name read.log -newer "$WORK/before")" ] || failed 'a run was begun'
expect_exit 0 plan
expect_text "$OUT" 'no security update'

title 'and a third one asks no resolver, not for a clone with another machine-id either, and not without the lists'
copy "$disk" "$WORK/clone.raw"
printf 'fedcba9876543210fedcba9876543210\n' >"$WORK/machine-id"
debugfs -w -R 'rm /etc/machine-id' "$WORK/clone.raw" 2>"$WORK/debugfs"
debugfs -w -R "write $WORK/machine-id /etc/machine-id" "$WORK/clone.raw" >"$WORK/debugfs" 2>&1
list=${VM_PATCH_CACHE:-/var/cache/vm-patch}/repositories/$(digest_of "$WORK/repo/dists/stable/main/binary-amd64/Packages")
mv "$list" "$WORK/list"
expect_exit 0 vm-patch -v -v refresh -a "$disk" -a "$WORK/clone.raw" --format raw --yes --offline --json
expect_same 'results' current,current "$(python3 -c 'import json, sys; print(",".join(m["result"] for m in json.load(open(sys.argv[1]))["machines"]))' "$OUT")"
expect_text "$ERR" 'answer [0-9a-f]{64}: it was kept'
expect_no_text "$ERR" 'vm-patch-apt is asked'
expect_exit 1 vm-patch -v -v refresh -a "$disk" --format raw --yes --offline --exclude demo-fail
expect_text "$ERR" 'vm-patch-apt is asked'
expect_text "$OUT" 'is not in the cache any more'
mv "$WORK/list" "$list"

title 'its undo brings the old versions back, and the next plan finds the updates again'
expect_exit 0 vm-patch rollback "$run"
expect_exit 3 plan
expect_text "$OUT" '3 packages would be updated'

title 'updates that are kept back are told, and such a machine is not called current'
expect_exit 3 refresh --yes --exclude '*'
expect_text "$OUT" 'updates kept back'
expect_text "$OUT" 'kept back: .*libdemo 2\.0 \(excluded\)'

title 'lists that another configuration or another key accepted are not used'
cp "$WORK/vm-patch.yaml" "$WORK/good.yaml"
expect_exit 3 refresh --dry-run --offline
signing_key other
sed -i "s/archive.gpg/other.gpg/" "$WORK/vm-patch.yaml"
expect_exit 5 refresh --dry-run --offline
expect_text "$OUT" 'its configuration or its keys changed'
expect_exit 5 plan

title 'without a repository of security updates no machine is current in that mode'
sed '/security: true/d' "$WORK/good.yaml" >"$WORK/vm-patch.yaml"
expect_exit 1 refresh --dry-run
expect_text "$OUT" 'none of the repositories for debian 12 is one of security updates'
cp "$WORK/good.yaml" "$WORK/vm-patch.yaml"

title 'a boot loader is kept back, installed or not, and told'
mkdir -p "$WORK"/deb/{grub-pc,kernel}/DEBIAN
printf 'Package: grub-pc\nVersion: 2.0\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: none\n' >"$WORK/deb/grub-pc/DEBIAN/control"
sed -e 's/^Package: .*/Package: demo-conf/' -e 's/^Version: .*/Version: 3.0/' "$WORK/deb/grub-pc/DEBIAN/control" >"$WORK/deb/kernel/DEBIAN/control"
echo 'Depends: grub-pc' >>"$WORK/deb/kernel/DEBIAN/control"
for name in grub-pc kernel; do dpkg-deb -b "$WORK/deb/$name" "$WORK/$name.deb" >"$OUT"; done
published "$WORK/boot" stable archive "$WORK"/{grub-pc,kernel}.deb
{
  printf 'schema: vm-patch/config/v1\nrepositories:\n'
  repository boot "file://$WORK/boot/" stable archive 'security: true'
} >"$WORK/vm-patch.yaml"
expect_exit 3 refresh --dry-run
expect_text "$OUT" 'kept back: demo-conf 3\.0'
expect_no_text "$OUT" 'would be updated'

title 'lists for another architecture or another release make no machine current'
in_suite "$WORK/boot" stable
mkdir -p "$WORK/boot/dists/stable/main/binary-arm64" && cp "$WORK"/boot/dists/stable/main/binary-{amd64,arm64}/Packages
release "$WORK/boot" stable Architectures='amd64 arm64'
sign "$WORK/boot" stable archive
{
  printf 'schema: vm-patch/config/v1\nrepositories:\n'
  repository boot "file://$WORK/boot/" stable archive 'security: true' 'architectures: [arm64]'
} >"$WORK/vm-patch.yaml"
expect_exit 1 refresh --dry-run
expect_text "$OUT" 'no repository has lists for amd64, of which .* is installed'
published "$WORK/next" trixie archive
{
  printf 'schema: vm-patch/config/v1\nrepositories:\n'
  repository next "file://$WORK/next/" trixie archive 'security: true'
} >"$WORK/vm-patch.yaml"
expect_exit 4 refresh --dry-run
expect_text "$OUT" 'is of trixie \(debian 13\), and the guest is debian 12'
cp "$WORK/good.yaml" "$WORK/vm-patch.yaml"

title 'what cannot be read as a guest is an error of that machine'
head -c 1048576 /dev/urandom >"$WORK/junk.raw"
expect_exit 4 vm-patch refresh -a "$WORK/junk.raw" --format raw --dry-run
expect_exit 4 vm-patch plan -a "$WORK/junk.raw" --format raw --from-repositories

title 'of two refreshes at the same time one is told that it has to wait'
(
  flock 9
  expect_exit 6 refresh --yes
  expect_text "$ERR" 'another refresh runs'
) 9>>"$WORK/state/refresh.lock"

title 'a package whose script fails: the reason is told, the disk is as it was, nothing is left'
before=$(digest_of "$disk")
cp "$debs/demo-fail_2.0_all.deb" "$WORK/demo-fail_2.0%2b_all.deb"  # a % in its name is one
published "$WORK/repo" stable archive "$WORK/demo-fail_2.0%2b_all.deb"
expect_exit 1 refresh --yes
expect_text "$OUT" 'demo-fail'
expect_same 'the disk' "$before" "$(digest_of "$disk")"
has_no_runs

title 'a package that is not the one of the list: nothing is patched with it'
cp "$debs/demo-conf_2.0_all.deb" "$WORK/repo/pool/demo-fail_2.0%2b_all.deb"
rm -rf "$WORK/state/payloads"
expect_exit 5 refresh --yes
expect_text "$OUT" 'mix and match or tampering'
expect_same 'the disk' "$before" "$(digest_of "$disk")"
cp "$WORK/demo-fail_2.0%2b_all.deb" "$WORK/repo/pool/"

title 'excluded, the others would be updated all the same'
expect_exit 3 refresh --dry-run --exclude demo-fail --json
expect_same 'packages' 3 "$(machine 'len(m["update"]["changes"])')"

title 'a repository that is not what its key signed stops the machines that it is for, and the older list is not used in its place'
sed -i 's/^Label: Demo/Label: Other/' "$WORK/repo/dists/stable/InRelease"
expect_exit 5 refresh --yes
expect_text "$ERR" 'repository demo, stable: .*changed after it was signed'
expect_same 'the disk' "$before" "$(digest_of "$disk")"
expect_exit 3 refresh --dry-run --offline
