#!/usr/bin/env bash
# vm-patch inspect against what a user would take instead, virt-inspector, on the same image, page cache warm.
#
#   inspect_vs_virt_inspector.sh BUILD-FOLDER [RUNS]       (default 51 of vm-patch, 3 of virt-inspector)
#
# Both are whole processes that print all packages. vm-patch reads the disk again each time (--fresh).
set -euo pipefail
build=$(cd "${1:?usage: inspect_vs_virt_inspector.sh BUILD-FOLDER [RUNS]}" && pwd)
runs=${2:-51}
export VMPATCH=$build/bin/vm-patch VMPATCH_SOURCE_DIR
VMPATCH_SOURCE_DIR=$(cd "$(dirname "$0")/../.." && pwd)
source "$VMPATCH_SOURCE_DIR/tests/support/e2e.sh"

# The same accelerator for both: whatever vm-patch finds on this host.
export LIBGUESTFS_BACKEND=direct
vm-patch doctor --json >"$WORK/doctor.json" || true
grep -q '"text": "TCG' "$WORK/doctor.json" && export LIBGUESTFS_BACKEND_SETTINGS=force_tcg
copy "$(image qcow2 debian-12-outdated)" "$WORK/guest.qcow2"

cat >"$WORK/measure.py" <<'PYTHON'
import json, re, statistics, subprocess, sys, time
name, runs, out, *command = sys.argv[1:]
times = []
for _ in range(int(runs)):
    began = time.perf_counter()
    text = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    times.append((time.perf_counter() - began) * 1000)
open(out, "wb").write(text)
times.sort()
print(f"{name:32} median {statistics.median(times):9.1f} ms   p99 {times[min(len(times) - 1, int(len(times) * 0.99))]:9.1f}   "
      f"fastest {times[0]:9.1f}   of {len(times)}")
print(statistics.median(times), file=open(out + ".median", "w"))
PYTHON
measure() { python3 "$WORK/measure.py" "$@"; }

common=(--state-dir "$WORK/state" --config "$WORK/vm-patch.yaml" inspect -a "$WORK/guest.qcow2" --format qcow2 --json)
vm-patch inspect -a "$WORK/guest.qcow2" --format qcow2 --json >/dev/null
measure "vm-patch inspect --fresh --json" "$runs" "$WORK/ours.json" "$VMPATCH" "${common[@]}" --fresh
measure "vm-patch inspect --json (cached)" "$runs" "$WORK/cached.json" "$VMPATCH" "${common[@]}"
virt-inspector --format=qcow2 -a "$WORK/guest.qcow2" >/dev/null
measure "virt-inspector -a" 3 "$WORK/theirs.xml" virt-inspector --format=qcow2 -a "$WORK/guest.qcow2"

python3 - "$WORK" <<'PYTHON'
import json, re, sys
folder = sys.argv[1]
ours = {p["name"] for p in json.load(open(f"{folder}/ours.json"))["machines"][0]["facts"]["packages"] if p["status"].endswith(" installed")}
theirs = set(re.findall(r"<application>\s*<name>([^<]+)</name>", open(f"{folder}/theirs.xml").read()))
print(f"packages: vm-patch {len(ours)}, virt-inspector {len(theirs)}, {'the same' if ours == theirs else 'different: ' + str(sorted(ours ^ theirs)[:5])}")
fast, slow = (float(open(f"{folder}/{name}.median").read()) for name in ("ours.json", "theirs.xml"))
print(f"virt-inspector takes {slow / fast:.0f} times as long")
PYTHON
