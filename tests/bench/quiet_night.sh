#!/usr/bin/env bash
# vm-patch refresh when there is nothing to do: two machines and a hundred overlays of one base, the first time and again, with the lists of this
# machine's own apt. Shows wall-clock time, processor time of all processes, the peak memory of vm-patch itself and of the largest of all its
# processes, and how often a resolver was asked.
#
#   quiet_night.sh BUILD-FOLDER [MACHINES]       (default 100)
#
# The base is the outdated test guest, and what is outdated stays so: every package that has a security update is excluded, unless PATCH=1, which
# brings the base up to date first (a run in an appliance).
set -euo pipefail
build=$(cd "${1:?usage: quiet_night.sh BUILD-FOLDER [MACHINES]}" && pwd)
machines=${2:-100}
export VMPATCH=$build/bin/vm-patch VMPATCH_SOURCE_DIR
VMPATCH_SOURCE_DIR=$(cd "$(dirname "$0")/../.." && pwd)
source "$VMPATCH_SOURCE_DIR/tests/support/e2e.sh"

export VM_PATCH_CACHE=$WORK/cache
vm-patch repository import -o "$WORK/own.yaml" >"$OUT"
{ echo 'schema: vm-patch/config/v1'; cat "$WORK/own.yaml"; } >"$WORK/vm-patch.yaml"
vm-patch -q key generate "$WORK/state/keys/refresher" >"$OUT"
vm-patch -q key trust "$WORK/state/keys/refresher.pub" --role refresher >"$OUT"
vm-patch repository refresh >"$OUT"

copy "$(image qcow2 debian-12-outdated)" "$WORK/base.qcow2"
excluded=()
if [ -n "${PATCH:-}" ]; then
  vm-patch refresh -a "$WORK/base.qcow2" --format qcow2 --yes || [ $? = 3 ]
else
  vm-patch plan -a "$WORK/base.qcow2" --format qcow2 --from-repositories --json >"$WORK/plan.json" || [ $? = 3 ]
  mapfile -t names < <(python3 -c 'import json, sys; print("\n".join(c["name"] for u in json.load(open(sys.argv[1]))["updates"] for c in u["update"]["changes"]))' "$WORK/plan.json")
  for name in "${names[@]}"; do [ -z "$name" ] || excluded+=(--exclude "$name"); done
  rm -rf "$WORK/state/answers"
fi

fleet() { # fleet NAME COUNT
  mkdir "$WORK/$1"
  for i in $(seq "$2"); do qemu-img create -q -f qcow2 -F qcow2 -b "$WORK/base.qcow2" "$WORK/$1/machine-$i.qcow2"; done
}
fleet two 2
fleet many "$machines"
# A machine is not cached while its disk is younger than the file system's clock can tell.
sleep 3

cat >"$WORK/measure.py" <<'PYTHON'
import os, resource, subprocess, sys, time
name, *command = sys.argv[1:]
began = time.perf_counter()
process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
peak = 0
asked = 0
for line in process.stderr:
    asked += line.rstrip().endswith("vm-patch-apt is asked")
    try:
        with open(f"/proc/{process.pid}/status") as status:
            peak = max([peak] + [int(row.split()[1]) for row in status if row.startswith("VmHWM:")])
    except OSError:
        pass
_, status, usage = os.wait4(process.pid, 0)
print(f"{name:40} {time.perf_counter() - began:7.2f} s  {usage.ru_utime + usage.ru_stime:7.2f} s of processors  {peak / 1024:4.0f} MiB, {usage.ru_maxrss / 1024:4.0f} MiB  "
      f"{asked} asked  exit {os.waitstatus_to_exitcode(status)}")
PYTHON
measure() { python3 "$WORK/measure.py" "$1" "$VMPATCH" -v -v --state-dir "$WORK/state" --config "$WORK/vm-patch.yaml" "${@:2}" "${excluded[@]}"; }
for fleet in two many; do
  refresh=(refresh --folder "$WORK/$fleet" --allow-backing "$WORK" --yes)
  measure "$fleet: first, read and resolved" "${refresh[@]}"
  measure "$fleet: again" "${refresh[@]}"
  measure "$fleet: again, without servers" "${refresh[@]}" --offline
  rm -rf "$WORK/state/answers"
done
