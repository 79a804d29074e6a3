#!/usr/bin/env bash
# vm-patch scan of a fleet: overlays of one base, each with a change of its own, against a feed of the security tracker's
# shape and size. Shows 50, 100 and 200 machines, read afresh and from the cache, with memory.
#
#   scan_fleet.sh BUILD-FOLDER [RECORDS]       (default 40000)
set -euo pipefail
build=$(cd "${1:?usage: scan_fleet.sh BUILD-FOLDER [RECORDS]}" && pwd)
records=${2:-40000}
export VMPATCH=$build/bin/vm-patch VMPATCH_SOURCE_DIR
VMPATCH_SOURCE_DIR=$(cd "$(dirname "$0")/../.." && pwd)
source "$VMPATCH_SOURCE_DIR/tests/support/e2e.sh"

copy "$(image qcow2 debian-12-outdated)" "$WORK/base.qcow2"
qemu-img convert -f qcow2 -O raw "$WORK/base.qcow2" "$WORK/base.raw"
cp "$(image status debian-12-outdated)" "$WORK/status"

cat >"$WORK/make.py" <<'PYTHON'
"""Feeds of the real shape, and fleets of overlays that each change one digit of a version in the package database."""
import json, mmap, os, random, re, subprocess, sys, zipfile
folder, records = sys.argv[1], int(sys.argv[2])
random.seed(20261122)
sources = {}
for stanza in open(f"{folder}/status").read().split("\n\n"):
    fields = dict(re.findall(r"^(Package|Source|Version): (.*)$", stanza, re.M))
    if "Version" in fields:
        name = fields.get("Source", fields["Package"]).split(" ")[0]
        sources[name] = fields["Version"]
names = sorted(sources) + [f"other-package-{i}" for i in range(3600)]
words = open(f"{folder}/status").read().split()
tracker = {}
osv = zipfile.ZipFile(f"{folder}/osv.zip", "w", zipfile.ZIP_DEFLATED)
for i in range(records):
    name = random.choice(names)
    cve = f"CVE-{2010 + i % 16}-{10000 + i}"
    version = sources.get(name, f"{random.randint(0, 9)}.{random.randint(0, 30)}-{random.randint(1, 9)}")
    fixed = random.random() < 0.7
    releases = {}
    for release, suffix in (("bullseye", "+deb11u1"), ("bookworm", "+deb12u1"), ("trixie", ""), ("forky", ""), ("sid", "")):
        entry = {"status": "resolved" if fixed else "open", "repositories": {release: version}, "urgency": random.choice(["not yet assigned", "low**", "unimportant", "medium"])}
        if fixed:
            entry["fixed_version"] = version + (suffix if random.random() < 0.3 else "~")
        releases[release] = entry
    text = " ".join(random.choices(words, k=30))
    tracker.setdefault(name, {})[cve] = {"description": text, "scope": "local", "releases": releases}
    events = [{"introduced": "0"}] + ([{"fixed": releases["bookworm"]["fixed_version"]}] if fixed else [])
    osv.writestr(f"DEBIAN-{cve}.json", json.dumps({
        "id": f"DEBIAN-{cve}", "upstream": [cve], "schema_version": "1.7.3", "published": "2024-05-02T00:00:00Z",
        "modified": "2025-01-02T03:04:05Z", "details": text,
        "affected": [{"package": {"ecosystem": f"Debian:{n}", "name": name}, "ranges": [{"type": "ECOSYSTEM", "events": events}],
                      "versions": [f"{version}~{k}" for k in range(20)], "ecosystem_specific": {"urgency": "not yet assigned"}} for n in (11, 12, 13)]}))
osv.close()
json.dump(tracker, open(f"{folder}/tracker.json", "w"))
with open(f"{folder}/base.raw", "rb") as raw:
    disk = mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ)
    at = disk.find(b"Package: openssl\nStatus: ")
    at = disk.find(b"\nVersion: ", at) + len(b"\nVersion: ")
    digit = next(k for k in range(at, at + 40) if disk[k:k + 1].isdigit() and k > at + 2)
for count in (50, 100, 200):
    fleet = f"{folder}/fleet-{count}"
    os.mkdir(fleet)
    for i in range(count):
        image = f"{fleet}/machine-{i:03}.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", f"{folder}/base.qcow2", image], check=True)
        subprocess.run(["qemu-io", "-f", "qcow2", "-c", f"write -q -P {ord('0') + i % 10} {digit} 1", image], check=True, stdout=subprocess.DEVNULL)
PYTHON
python3 "$WORK/make.py" "$WORK" "$records"
rm "$WORK/base.raw"
echo "feeds: tracker.json $(stat -c %s "$WORK/tracker.json") bytes, osv.zip $(stat -c %s "$WORK/osv.zip") bytes, $records records each"
# A machine is not cached while its disk is younger than the file system's clock can tell.
sleep 3

cat >"$WORK/measure.py" <<'PYTHON'
import os, resource, subprocess, sys, time
name, *command = sys.argv[1:]
began = time.perf_counter()
process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(f"{name:44} {time.perf_counter() - began:7.2f} s   {usage.ru_maxrss / 1024:6.0f} MiB   exit {os.waitstatus_to_exitcode(status)}")
PYTHON
for feed in ${FEEDS:-tracker.json osv.zip}; do
  for count in 50 100 200; do
    scan=(vm-patch scan --folder "$WORK/fleet-$count" --allow-backing "$WORK" --feed "$WORK/$feed" --json)
    command=("$VMPATCH" --state-dir "$WORK/state" --config "$WORK/vm-patch.yaml" "${scan[@]:1}")
    python3 "$WORK/measure.py" "$count machines, $feed, --fresh" "${command[@]}" --fresh
    python3 "$WORK/measure.py" "$count machines, $feed, cached" "${command[@]}"
  done
done
