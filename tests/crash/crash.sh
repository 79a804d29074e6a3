#!/bin/bash
# Kills vm-patch while an appliance patches a real guest, recovers, and looks: the disk is the old or the new one, and nothing is
# left over. Every state of a run is in states.py.
# The table is described in README.md.
if [ -z "${CRASH_PRIVATE:-}" ]; then  # a /run/vm-patch of our own: what is left in it is ours
  exec env CRASH_PRIVATE=1 unshare --mount --propagation private bash "$0"
fi
# shellcheck source=tests/support/e2e.sh
set -euo pipefail  # without its variables nothing may run
. "${VMPATCH_SOURCE_DIR:?}/tests/support/e2e.sh"
: "${VMPATCH_CRASH:?path of vm-patch-crash}"
mkdir -p /run/vm-patch
mount -t tmpfs -o mode=0711 tmpfs /run/vm-patch
STATE=$WORK/state
rows=0

# --- the stage ---------------------------------------------------------------------------------------------------------

use_image() { # KEY FORMAT: a fresh copy becomes the machine's disk
  FORMAT=$2 IMAGE=$WORK/disk.$2
  rm -f "$IMAGE"
  copy "$(image "$1" mini-debian)" "$IMAGE"
  OLD=$(digest_of "$IMAGE")
}
# A bundle that changes enough bytes for a commit to be hit in the middle.
make_bundle() {
  local debs
  debs=$(image debs mini-debian)
  mkdir "$WORK/payloads" "$WORK/ballast"
  cp "$debs"/libdemo_2.0_all.deb "$debs"/demo-app_2.0_all.deb "$WORK/payloads"
  head -c 12M /dev/urandom >"$WORK/ballast/ballast"
  tar -C "$WORK/ballast" --owner=0 --group=0 -cf "$WORK/payloads/ballast.tar" ballast
  vm-patch -q recipe from-packages "$WORK"/payloads/*.deb --id crash-test -o "$WORK/recipe.yaml" >/dev/null
  sed -i -e "/^payloads:/a\\  - {name: ballast.tar, sha256: \"$(digest_of "$WORK/payloads/ballast.tar")\", size: $(stat -c %s "$WORK/payloads/ballast.tar")}" \
    -e '/^steps:/a\  - unarchive: {payload: ballast.tar, into: /opt}' "$WORK/recipe.yaml"
  vm-patch -q recipe bundle "$WORK/recipe.yaml" --payloads "$WORK/payloads" --key "$WORK/author" -o "$WORK/bundle.vmpatch" >/dev/null
}
machine() { printf '%s\n' -a "$IMAGE" --format "$FORMAT" -r "$WORK/bundle.vmpatch"; }

# --- killing -----------------------------------------------------------------------------------------------------------

users_of_work() {
  local file words
  for file in /proc/[0-9]*/cmdline; do
    { mapfile -d '' -t words <"$file"; } 2>/dev/null || continue
    case "${words[*]}" in *"$WORK"*) echo "${words[*]}" ;; esac
  done
}

# start POINT MS VERB …; STARTED is the pid of who sees that nothing outlives it.
start() {
  local point=$1 after=$2
  shift 2
  VMPATCH_CRASH_FILE=$IMAGE VMPATCH_CRASH_AT=$point VMPATCH_CRASH_AFTER_MS=$after "$VMPATCH_SOURCE_DIR/tests/support/no_orphans.py" "$VMPATCH_CRASH" --state-dir "$STATE" --config "$WORK/vm-patch.yaml" "$@" </dev/null >"$OUT" 2>"$ERR" &
  STARTED=$!
}
appliance_runs() { [[ $("$VMPATCH_SOURCE_DIR/tests/support/no_orphans.py" --family "$STARTED") == *qemu-system*" -kernel "* ]]; }
await_death() {
  local status=0
  wait "$STARTED" 2>/dev/null || status=$?
  [ $status != 99 ] || failed "processes survive their killed vm-patch by 5 s"
  [ $status = 137 ] || failed "exit code $status where SIGKILL (137) was expected"
}
killed() { start "$@" && await_death; }
apply_killed() { # POINT MS
  local arguments
  mapfile -t arguments < <(machine)
  killed "$1" "$2" apply "${arguments[@]}" --yes
}

# --- looking -----------------------------------------------------------------------------------------------------------

state_of_last_run() { vm-patch history --json --limit 1 | python3 -c 'import json,sys; runs=json.load(sys.stdin)["runs"]; print(runs[0]["state"] if runs else "none")'; }
is_old() { expect_same "digest of the disk" "$OLD" "$(digest_of "$IMAGE")"; }
is_new() {
  local arguments status=0
  mapfile -t arguments < <(machine)
  expect_exit 0 vm-patch verify "${arguments[@]}"
  [ "$FORMAT" = qcow2 ] || return 0
  qemu-img check -f qcow2 "$IMAGE" >"$OUT" 2>&1 || status=$?
  case $status in
    0) ;;
    3) echo "   leaked clusters are tolerated: $(grep -c '^Leaked' "$OUT")" ;;
    *) failed "qemu-img check says $status: $(cat "$OUT")" ;;
  esac
}
nothing_is_left() {
  expect_same "folders of runs" "" "$(ls -A "$STATE/runs" 2>/dev/null)"
  expect_same "scratch folders" "" "$(ls -A /run/vm-patch)"
  expect_same "processes on our files" "" "$(users_of_work)"
}
# recovered_to old|new STATE
recovered_to() {
  expect_exit 0 vm-patch recover
  is_"$1"
  expect_same "state of the run" "$2" "$(state_of_last_run)"
  nothing_is_left
  expect_exit 0 vm-patch recover
  expect_text "$OUT" '^no interrupted run$'
  expect_exit 0 vm-patch audit verify
}
row() { rows=$((rows + 1)) && title "row $rows: $*"; }

# --- rows --------------------------------------------------------------------------------------------------------------

trusted_author
make_bundle
use_image qcow2 qcow2

for ms in 150 300; do
  row "killed $ms ms after the program began: the disk is untouched, there is no run"
  apply_killed during:start $ms
  recovered_to old none
done

row "the appliance runs: a second apply is told 'busy'; killed: no process survives, the next apply recovers by itself"
mapfile -t arguments < <(machine)
start never 0 apply "${arguments[@]}" --yes
# On a new host the appliance is built first.
until appliance_runs; do
  kill -0 "$STARTED" 2>/dev/null || failed "no appliance was seen; this row proves nothing"
  sleep 0.1
done
expect_exit 6 "$VMPATCH" --state-dir "$STATE" --config "$WORK/vm-patch.yaml" apply "${arguments[@]}" --yes
expect_exit 0 vm-patch recover
expect_text "$OUT" ' held: '
expect_exit 6 vm-patch verify "${arguments[@]}"
kill -KILL "$("$VMPATCH_SOURCE_DIR/tests/support/no_orphans.py" --family "$STARTED" | grep -F "$VMPATCH_CRASH" | cut -d' ' -f1)"
await_death
is_old
expect_exit 7 vm-patch verify "${arguments[@]}"

row "the apply after a killed one ends it; killed in the middle of its commit; recover killed at many moments: the disk is the new one"
apply_killed during:write 1
expect_text "$ERR" 'discarded: interrupted while staged'
expect_same "state of the run" committing "$(state_of_last_run)"
torn=0
for ms in 0 0 1 2 4 8 16 32; do
  if [ "$(digest_of "$IMAGE")" != "$OLD" ]; then torn=$((torn + 1)); fi
  killed during:write $ms recover
done
[ $torn != 0 ] || failed 'no kill hit the middle of a commit; this row proves nothing'
recovered_to new attested

use_image raw raw
row "raw disk: killed in the middle of the commit: the disk is the new one"
apply_killed during:write 1
expect_same "state of the run" committing "$(state_of_last_run)"
recovered_to new attested
printf '\n%s rows\n' "$rows"
