#!/usr/bin/env bash
# Runs that fail leave the image bit-identical and say why, while a good machine beside them is patched; that one keeps what
# its administrator and its machine own, and can be put back. Four appliance launches.
set -euo pipefail  # without its variables nothing may run
. "$(dirname "$0")/../support/e2e.sh"

trusted_author
debs=$(image debs mini-debian)
for name in bad good; do
  mkdir "$WORK/$name"
  copy "$(image raw mini-debian)" "$WORK/$name/disk.raw"
done
bad=$WORK/bad/disk.raw good=$WORK/good/disk.raw
bad_before=$(digest_of "$bad") good_before=$(digest_of "$good")
# In the good machine demo-fail is newer already, so that one recipe fails on one machine and holds on the other.
debugfs -R 'dump /var/lib/dpkg/status '"$WORK/status" "$good" 2>"$WORK/debugfs"
awk -v RS= -v ORS='\n\n' '/^Package: demo-fail\n/ {sub(/Version: 1.0/, "Version: 3.0")} {print}' "$WORK/status" >"$WORK/status.new"
# What dpkg --audit says of it already is not the patch's: a list that is lost, a package that was built without digests.
printf 'rm /var/lib/dpkg/status\nwrite %s /var/lib/dpkg/status\nrm /var/lib/dpkg/info/gcc-12-base:amd64.list\nrm /var/lib/dpkg/info/grep.md5sums\n' "$WORK/status.new" | debugfs -w "$good" >>"$WORK/debugfs" 2>&1
good_before=$(digest_of "$good")
copy "$good" "$WORK/good.original"

# in_guest IMAGE PATH: content of a file, or nothing.
in_guest() { debugfs -R "cat $2" "$1" 2>/dev/null; }
# own_state IMAGE: what belongs to the machine and must not change.
own_state() {
  local path
  for path in /etc/machine-id /etc/resolv.conf /etc/hostname /etc/ssh/ssh_host_{ed25519,rsa}_key{,.pub} /etc/demo-conf.conf; do
    echo "$path $(in_guest "$1" "$path" | sha256sum)"
    debugfs -R "stat $path" "$1" 2>/dev/null | grep -oE 'Mode: +[0-9]+|User: .*Group: +[0-9]+'
  done
  debugfs -R 'ls -p /usr/sbin' "$1" 2>/dev/null | grep -c policy-rc.d || true
  vm-patch inspect -a "$1" --format raw --json | python3 -c '
import json, sys
def walk(node, found):
    if isinstance(node, dict):
        for key, value in sorted(node.items()):
            if key == "identity": found.append(value)
            walk(value, found)
    if isinstance(node, list):
        for value in node: walk(value, found)
    return found
print(json.dumps(walk(json.load(sys.stdin), []), sort_keys=True))'
}
run_of() { # IMAGE: state and error of its newest run
  vm-patch history --json | python3 -c '
import json, sys
for run in json.load(sys.stdin)["runs"]:
    if run["machine"]["name"] == sys.argv[1]:
        print(run["id"], run["state"], run["kind"], run["error"].replace("\n", " "))
        break' "$1"
}
nothing_left() {
  [ -z "$(find "$WORK/state/runs" -mindepth 1)" ] || failed "left over: $(find "$WORK/state/runs" -mindepth 1)"
  local id
  # Other tests may run beside this one, so only its own runs count.
  for id in $(vm-patch history --json | python3 -c 'import json, sys; print(*(r["id"][:13] for r in json.load(sys.stdin)["runs"]))'); do
    [ ! -e "/run/vm-patch/$id" ] || failed "left over: $(find "/run/vm-patch/$id")"
  done
}
own_state "$good" >"$WORK/own.before"
watch_bait
hostile_neighbours "$WORK"/{bad,good}
# Attested before the patch: one recipe that will still hold, and one that the patch undoes.
bundle_of earlier "$WORK/earlier.vmpatch" "$debs"/{libdemo,demo-app}_1.0_all.deb
cat >"$WORK/undone.yaml" <<YAML
schema: vm-patch/recipe/v1
id: undone
version: 1
title: The first version of a file
issued: 2020-01-01
applies_to: {os: {id: debian}}
steps: [{file: {path: /usr/share/demo-conf/version, content: "demo-conf 1.0\n"}}]
YAML
vm-patch -q recipe bundle "$WORK/undone.yaml" --key "$WORK/author" -o "$WORK/undone.vmpatch"
for bundle in earlier undone; do expect_exit 0 vm-patch verify -a "$good" --format raw -r "$WORK/$bundle.vmpatch"; done

title 'one machine fails in a maintainer script, the good one beside it is patched; the exit code is the failure'
bundle_of demo "$WORK/demo.vmpatch" "$debs"/{demo-conf,demo-service,libdemo,demo-app,demo-fail}_2.0_all.deb
expect_exit 3 vm-patch plan -a "$good" --format raw -r "$WORK/demo.vmpatch"
expect_text "$OUT" '1 of installed packages have no list of their files .gcc-12-base.: dpkg --audit says so already, which does not count'
expect_text "$OUT" '1 of installed packages have no digests of their files .grep.'
expect_exit 1 vm-patch apply -a "$bad" -a "$good" --format raw -r "$WORK/demo.vmpatch" --yes --jobs 2
cp "$OUT" "$WORK/apply.out"
expect_text "$WORK/apply.out" "$bad: not patched \(failed\): .*dpkg: error processing package demo-fail .*this is meant to fail"
expect_text "$WORK/apply.out" "$good: patched by demo version 1"
expect_text "$WORK/apply.out" 'demo-conf +1\.0 +-> +2\.0'

title 'of what was attested before, only what was proved again on the patched disk is attested, and the rest is named'
expect_text "$WORK/apply.out" 'no longer attested: undone version 1: it does not hold any more: /usr/share/demo-conf/version has other content'
expect_no_text "$WORK/apply.out" 'no longer attested: earlier'
expect_text "$WORK/apply.out" 'weaker proof: by the guest.s own lists'
expect_same 'what is attested' 'earlier:own-lists demo:own-lists' "$({ vm-patch status --json || true; } 2>"$ERR" | python3 -c '
import json, sys
machine = next(m for m in json.load(sys.stdin)["machines"] if m["name"] == sys.argv[1])
print(*(r["id"] + ":" + r["proof"] for r in machine["attestation"]["satisfied"]))' "$good")"

title 'the failed one is bit-identical, and the ledger says why'
expect_same "digest of the failed image" "$bad_before" "$(digest_of "$bad")"
expect_text <(run_of "$bad") ' failed apply .*demo-fail'
[ ! -d "$WORK/state/undo/$(run_of "$bad" | cut -d' ' -f1)" ] || failed 'an undo image of a failed run is left'
nothing_left

title 'the good one holds the new versions, in its own database and files'
in_guest "$good" /usr/share/demo-conf/version >"$OUT"
expect_text "$OUT" 'demo-conf 2.0'
expect_exit 0 vm-patch verify -a "$good" --format raw -r "$WORK/demo.vmpatch"
expect_text <(run_of "$good") ' attested apply'
e2fsck -fn "$good" >"$OUT" 2>&1 || failed 'the file system of the good image is not clean'

title 'the conffile that the admin changed is kept and reported'
expect_text "$WORK/apply.out" 'kept as the administrator changed them'
expect_text "$WORK/apply.out" '^ +/etc/demo-conf.conf$'
in_guest "$good" /etc/demo-conf.conf >"$OUT"
expect_text "$OUT" 'the admin likes blue'
in_guest "$good" /etc/demo-conf.conf.dpkg-dist >"$OUT"
expect_text "$OUT" 'level = 2'

title 'no service started, although its maintainer script ran and asked for it'
in_guest "$good" /var/lib/demo-service/configured >"$OUT"
expect_text "$OUT" "configured after '1.0'"
debugfs -R 'stat /var/lib/demo-service/started' "$good" >"$OUT" 2>&1
expect_text "$OUT" 'not found'

title 'machine-id, resolv.conf, host keys and policy-rc.d are as before'
own_state "$good" >"$WORK/own.after"
diff "$WORK/own.before" "$WORK/own.after" || failed 'something that belongs to the machine changed'
expect_text "$WORK/own.after" '^0$'

title 'a run whose checks do not hold leaves the image bit-identical, and the ledger says which check'
printf '#!/bin/sh\nexit 0\n' >"$WORK/nothing.sh"
mkdir -p "$WORK/probe/DEBIAN"
printf 'Package: ucf-probe\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: probe\n' >"$WORK/probe/DEBIAN/control"
printf '#!/bin/sh\necho "asked for: $(env | grep ^UCF_)"\n' >"$WORK/probe/DEBIAN/postinst"
chmod 0755 "$WORK/probe/DEBIAN/postinst"
dpkg-deb --root-owner-group --build "$WORK/probe" "$WORK/ucf-probe.deb" >"$OUT"
cat >"$WORK/nothing.yaml" <<YAML
schema: vm-patch/recipe/v1
id: nothing
version: 1
title: A script that does nothing
issued: 2020-01-01
applies_to: {os: {id: debian}}
payloads:
  - {name: nothing.sh, sha256: $(digest_of "$WORK/nothing.sh"), size: $(stat -c %s "$WORK/nothing.sh")}
  - {name: ucf-probe.deb, sha256: $(digest_of "$WORK/ucf-probe.deb"), size: $(stat -c %s "$WORK/ucf-probe.deb")}
steps: [{run: {payload: nothing.sh, timeout: 60s}}, {packages: {install: [ucf-probe.deb], conffiles: replace}}]
verify: [{file: {path: /etc/not-there, mode: "0644"}}]
YAML
vm-patch -q recipe bundle "$WORK/nothing.yaml" --key "$WORK/author" -o "$WORK/nothing.vmpatch"
expect_exit 1 vm-patch apply -a "$bad" --format raw -r "$WORK/nothing.vmpatch" --yes
expect_text "$OUT" 'verification failed: .*/etc/not-there'
expect_same "digest of the failed image" "$bad_before" "$(digest_of "$bad")"
expect_text <(run_of "$bad") ' failed apply .*/etc/not-there'
nothing_left

title 'ucf is asked for what the recipe says of conffiles'
cat "$WORK"/state/logs/* >"$WORK/logs"
expect_text "$WORK/logs" 'asked for: UCF_FORCE_CONFFNEW=1'
expect_no_text "$WORK/logs" 'UCF_FORCE_CONFFOLD'

title 'an older version than one seen is not trusted any more; the file, the versions and the remedy are named'
sed 's/^version: 1/version: 2/' "$WORK/demo.yaml" >"$WORK/demo2.yaml"
vm-patch -q recipe bundle "$WORK/demo2.yaml" --payloads "$debs" --key "$WORK/author" -o "$WORK/demo2.vmpatch"
expect_exit 0 vm-patch apply -a "$good" --format raw -r "$WORK/demo2.vmpatch" --yes
for verb in plan 'apply --yes'; do
  # shellcheck disable=SC2086
  expect_exit 5 vm-patch $verb -a "$bad" --format raw -r "$WORK/demo.vmpatch"
  expect_text "$ERR" "$WORK/demo.vmpatch: recipe demo version 1 is older than version 2, which was used here; get the newer bundle"
done
sed 's/^title: .*/title: other/' "$WORK/demo2.yaml" >"$WORK/other.yaml"
vm-patch -q recipe bundle "$WORK/other.yaml" --payloads "$debs" --key "$WORK/author" -o "$WORK/other.vmpatch"
expect_exit 5 vm-patch plan -a "$bad" --format raw -r "$WORK/other.vmpatch"
expect_text "$ERR" "$WORK/other.vmpatch: recipe demo version 2 was used here with other content; a changed recipe needs a higher version"

title 'rollback gives the good one back as it was, and there is nothing to recover'
expect_exit 0 vm-patch rollback "$(vm-patch history --json | python3 -c '
import json, sys
print(next(r["id"] for r in json.load(sys.stdin)["runs"] if r["kind"] == "apply" and r["state"] == "attested"))')"
expect_exit 0 qemu-img compare -f raw -F raw "$good" "$WORK/good.original"
expect_same "digest of the good image" "$good_before" "$(digest_of "$good")"
expect_exit 0 vm-patch recover
expect_text "$OUT" 'no interrupted run'
nothing_left
rolled_back=$(vm-patch history --json | python3 -c '
import json, sys
print(next(r["id"] for r in json.load(sys.stdin)["runs"] if r["kind"] == "rollback"))')
expect_same 'what is kept' "$rolled_back" "$(ls "$WORK/state/undo")"
expect_exit 0 vm-patch audit verify

title 'a package that takes another one away, which the plan does not say, is not committed: the database is not what was predicted'
mkdir -p "$WORK/deb/demo-usurper/DEBIAN"
printf '%s\n' 'Package: demo-usurper' 'Version: 1.0' 'Architecture: all' 'Maintainer: Nobody <nobody@example.org>' 'Conflicts: demo-conf' 'Replaces: demo-conf' \
  'Provides: demo-conf' 'Description: none' >"$WORK/deb/demo-usurper/DEBIAN/control"
dpkg-deb -b "$WORK/deb/demo-usurper" "$WORK/demo-usurper_1.0_all.deb" >"$OUT"
vm-patch -q recipe from-packages "$WORK/demo-usurper_1.0_all.deb" --id usurper -o "$WORK/usurper.yaml" >"$OUT"
sed -i -e '/^  packages:/,/^payloads:/{/^payloads:/!d}' "$WORK/usurper.yaml"  # for machines that do not have it
vm-patch -q recipe bundle "$WORK/usurper.yaml" --payloads "$WORK" --key "$WORK/author" -o "$WORK/usurper.vmpatch" >"$OUT"
expect_exit 1 vm-patch apply -a "$bad" --format raw -r "$WORK/usurper.vmpatch" --yes
expect_text "$OUT" 'package demo-conf:all: predicted 1\.0, is not installed'
expect_same "digest of the bad image" "$bad_before" "$(digest_of "$bad")"
nothing_left

title 'no verb opened anything because a header beside an image names it'
expect_exit 4 vm-patch inspect --folder "$WORK/good"
expect_exit 0 vm-patch -c test:///default -v inventory --folder "$WORK/good"
for verb in "scan --folder $WORK/good --package dpkg" doctor; do
  # shellcheck disable=SC2086
  vm-patch $verb >"$OUT" 2>"$ERR" || true
done
bait_untouched
