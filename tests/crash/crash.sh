#!/bin/bash
# Kills vm-patch in each state of a run, recovers, and looks: the disk is the old or the new one, and nothing is left over.
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
export STATE=$WORK/state RECORDS=$WORK/records IMAGE FORMAT
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

# processes SESSION: "pid command" of what lives in it. Children of vm-patch change group and user, but not the session.
processes() {
  local stat rest fields
  for stat in /proc/[0-9]*/stat; do
    { read -r rest <"$stat"; } 2>/dev/null || continue
    read -ra fields <<<"${rest##*) }"
    if [ "${fields[3]}" = "$1" ] && [ "${fields[0]}" != Z ] && [ "${fields[0]}" != X ]; then echo "${rest%%) *})"; fi
  done
}
users_of_work() {
  local file words
  for file in /proc/[0-9]*/cmdline; do
    { mapfile -d '' -t words <"$file"; } 2>/dev/null || continue
    case "${words[*]}" in *"$WORK"*) echo "${words[*]}" ;; esac
  done
}

# start POINT MS VERB …: in a session of its own; SESSION is its pid, too.
start() {
  local point=$1 after=$2
  shift 2
  VMPATCH_CRASH_FILE=$IMAGE VMPATCH_CRASH_AT=$point VMPATCH_CRASH_AFTER_MS=$after setsid "$VMPATCH_CRASH" --state-dir "$STATE" --config "$WORK/vm-patch.yaml" "$@" </dev/null >"$OUT" 2>"$ERR" &
  SESSION=$!
}
appliance_runs() { [[ $(processes "$SESSION") == *qemu-system* ]]; }
await_death() {
  local status=0 i left=
  wait "$SESSION" 2>/dev/null || status=$?
  [ $status = 137 ] || failed "exit code $status where SIGKILL (137) was expected"
  for ((i = 0; i < 50; ++i)); do
    left=$(processes "$SESSION")
    [ -n "$left" ] || return 0
    sleep 0.1
  done
  failed "processes survive their killed vm-patch by 5 s: $left"
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
  if [ -n "${NEW:-}" ]; then
    expect_exit 0 qemu-img compare -f "$FORMAT" -F "$FORMAT" "$NEW" "$IMAGE"
  fi
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

# Puts a recorded moment back, into the same inode: recovery asks whether the base still is that file.
restore() {
  rm -rf "$STATE" "$STATE.anchor"
  find /run/vm-patch -mindepth 1 -delete
  cp -a "$RECORDS/$1/state" "$STATE"
  cp -a "$RECORDS/$1/anchor" "$STATE.anchor"
  cp -a "$RECORDS/$1/run/." /run/vm-patch/
  cp --sparse=always "$RECORDS/$1/image" "$IMAGE"
}

# --- rows --------------------------------------------------------------------------------------------------------------

trusted_author
make_bundle
use_image qcow2 qcow2

while read -r point ms state; do
  row "killed $point, before any write: the disk is untouched, the run is $state"
  apply_killed "$point" "$ms"
  recovered_to old "$state"
done <<'TABLE'
during:start    150 none
during:start    300 none
before:planned  0   none
after:planned   0   discarded
before:leased   0   discarded
after:leased    0   discarded
before:staged   0   discarded
after:staged    0   discarded
TABLE

row "the appliance runs: a second apply is told 'busy'; killed: no process survives, the next apply recovers by itself"
mapfile -t arguments < <(machine)
start during:staged 12000 apply "${arguments[@]}" --yes
# Short-lived QEMUs (a probe of the accelerator) do not count.
seen=0
for ((i = 0; i < 300 && seen < 10; ++i)); do
  if appliance_runs; then seen=$((seen + 1)); else seen=0; fi
  sleep 0.1
done
[ $seen = 10 ] || failed "no appliance was seen; this row proves nothing"
expect_exit 6 "$VMPATCH" --state-dir "$STATE" --config "$WORK/vm-patch.yaml" apply "${arguments[@]}" --yes
expect_exit 0 vm-patch recover
expect_text "$OUT" ' held: '
expect_exit 6 vm-patch verify "${arguments[@]}"
await_death
is_old
expect_exit 7 vm-patch verify "${arguments[@]}"

row "the apply after a killed one ends it and works; each of its moments is recorded"
mkdir "$RECORDS"
expect_exit 0 env VMPATCH_CRASH_RECORD="$VMPATCH_SOURCE_DIR/tests/crash/record" "$VMPATCH_CRASH" --state-dir "$STATE" \
  --config "$WORK/vm-patch.yaml" apply "${arguments[@]}" --yes
expect_text "$ERR" 'discarded: interrupted while staged'
is_new
expect_same "state of the run" attested "$(state_of_last_run)"
nothing_is_left
NEW=$WORK/new.qcow2
copy "$IMAGE" "$NEW"

while read -r point content state; do
  row "what a process killed $point leaves is recovered: the disk is the $content one, the run is $state"
  restore "$point"
  recovered_to "$content" "$state"
done <<'TABLE'
before:patched    old discarded
after:patched     old discarded
before:verified   old discarded
after:verified    old discarded
before:committing old discarded
after:committing  new attested
before:committed  new attested
after:committed   new attested
before:attested   new attested
after:attested    new attested
TABLE

while read -r record point content state; do
  row "recover killed $point on a run left $record, then recover: the disk is the $content one, the run is $state"
  restore "$record"
  killed "$point" 0 recover
  recovered_to "$content" "$state"
done <<'TABLE'
after:verified   before:discarded old discarded
after:verified   after:discarded  old discarded
after:committing before:committed new attested
after:committing after:committed  new attested
after:committing before:attested  new attested
after:committing after:attested   new attested
after:committed  before:attested  new attested
TABLE

row "recover killed at many moments of the commit, one after the other: the last one still ends in the new disk"
restore after:committing
torn=0
for ms in 0 0 1 2 4 8 16 32; do
  killed during:write $ms recover
  if [ "$(digest_of "$IMAGE")" != "$OLD" ] && ! qemu-img compare -q -f qcow2 -F qcow2 "$NEW" "$IMAGE" 2>/dev/null; then torn=$((torn + 1)); fi
done
echo "   torn in between: $torn times of 8"
# How many is chance; the row that kills at the first write of a commit always hits it.
recovered_to new attested

unset NEW
while read -r point content state; do
  row "the process itself killed $point: the disk is the $content one, the run is $state"
  use_image qcow2 qcow2
  rm -rf "$STATE/ledger.sqlite"* "$STATE/custody.sqlite"* "$STATE.anchor"
  apply_killed "$point" 0
  recovered_to "$content" "$state"
done <<'TABLE'
after:patched   old discarded
after:committed new attested
after:attested  new attested
TABLE

use_image raw raw
row "raw disk: killed before:committing, with the undo image made: the disk is untouched"
apply_killed before:committing 0
recovered_to old discarded
row "raw disk: killed in the middle of the commit: the disk is the new one"
apply_killed during:write 1
expect_same "state of the run" committing "$(state_of_last_run)"
recovered_to new attested
printf '\n%s rows\n' "$rows"
