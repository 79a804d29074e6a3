# For e2e scripts: source it first. Gives WORK (a fresh folder, removed at the end), the programs, and checks that say what
# they expected. A script ends at the first check that fails.
# shellcheck shell=bash
set -euo pipefail
: "${VMPATCH:?path of vm-patch}" "${VMPATCH_SOURCE_DIR:?path of the sources}"
VMPATCH_GATE=${VMPATCH_GATE:-$(dirname "$VMPATCH")/vm-patch-gate}
WORK=$(mktemp -d /var/tmp/vm-patch-e2e.XXXXXX)
chmod 0755 "$WORK"
OUT=$WORK/out ERR=$WORK/err
at_end=()
# shellcheck disable=SC2317  # called by the trap
finish() {
  local status=$? command
  trap - EXIT
  for command in "${at_end[@]}"; do eval "$command" || true; done
  if [ $status != 0 ] && [ -s "$ERR" ]; then echo "--- stderr of the last command:"; tail -n 40 "$ERR"; fi
  [ -n "${KEEP_WORK:-}" ] || rm -rf --one-file-system "$WORK"
  exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

title() { printf '\n== %s\n' "$*"; }
failed() { echo "FAILED: $*" >&2; exit 1; }

# expect_exit CODE COMMAND …: output goes to $OUT and $ERR.
expect_exit() {
  local expected=$1 status=0
  shift
  "$@" >"$OUT" 2>"$ERR" || status=$?
  if [ $status != "$expected" ]; then
    tail -n 30 "$OUT"
    failed "exit code $status where $expected was expected: $*"
  fi
}
# expect_text FILE REGEX: some line of the file matches.
expect_text() { grep -qE -- "$2" "$1" || { tail -n 30 "$1"; failed "nothing in $(basename "$1") matches: $2"; }; }
expect_no_text() { ! grep -qE -- "$2" "$1" || { tail -n 30 "$1"; failed "$(basename "$1") matches, and must not: $2"; }; }
# expect_same WHAT A B
expect_same() { [ "$2" = "$3" ] || failed "$1: expected '$2', got '$3'"; }
digest_of() { sha256sum "$1" | cut -d' ' -f1; }

vm-patch() { "$VMPATCH" --state-dir "$WORK/state" --config "$WORK/vm-patch.yaml" "$@"; }

# image KEY NAME: path of an image of a test guest (testimages/build NAME --list).
image() { "$VMPATCH_SOURCE_DIR/testimages/build" "$2" --list | sed -n "s/^$1=//p"; }
copy() { cp --reflink=auto --sparse=always "$1" "$2"; }

# trusted_author: a key at $WORK/author that the state directory trusts.
trusted_author() {
  vm-patch -q key generate "$WORK/author" >/dev/null
  vm-patch -q key trust "$WORK/author.pub" --role author >/dev/null
}
# bundle_of ID OUT DEB …: a signed bundle of packages.
bundle_of() {
  local id=$1 out=$2
  shift 2
  vm-patch -q recipe from-packages "$@" --id "$id" -o "$WORK/$id.yaml" >/dev/null
  vm-patch -q recipe bundle "$WORK/$id.yaml" --payloads "$(dirname "$1")" --key "$WORK/author" -o "$out" >/dev/null
}

# Images whose first bytes name what nobody may open because of them: watch_bait, then hostile_neighbours DIR …, at the end bait_untouched.
bait=$WORK/bait
watch_bait() {
  mkdir "$bait"
  head -c 65536 /dev/zero >"$bait/secret"
  qemu-img create -q -f qcow2 "$bait/other.qcow2" 1M
  mkfifo "$bait/pipe"
  "$VMPATCH_SOURCE_DIR/tests/support/watch_opens.py" "$bait" "$WORK/opened" &
  at_end+=("kill $!")
  until [ -e "$WORK/opened" ]; do kill -0 $! || failed 'there is no watch'; done
}
hostile_neighbours() {
  local dir name number=0
  for dir in "$@"; do
    for name in "$bait"/{secret,other.qcow2,pipe} "file:$bait/secret" \
      "json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"$bait/other.qcow2\"}}"; do
      for end in .img .qcow2 ''; do
        qemu-img create -q -u -f qcow2 -b "$name" -F qcow2 "$dir/hostile$((number += 1))$end" 1M
      done
    done
  done
}
bait_untouched() {
  expect_same 'what was opened although only a header names it' '' "$(sort -u "$WORK/opened")"
  cat "$bait/secret" >"$WORK/null"
  until grep -q '^secret$' "$WORK/opened"; do kill -0 "$(jobs -p | head -n 1)" || failed 'the watch is gone'; done
}
: >"$WORK/vm-patch.yaml"
