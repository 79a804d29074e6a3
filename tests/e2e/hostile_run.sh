#!/usr/bin/env bash
# A patch whose script is the enemy, on a real Debian: what it can make the host hold is bounded, and what it does to the appliance it
# runs in reaches neither the base image nor the verdict. Two appliance launches.
set -euo pipefail  # without its variables nothing may run
. "$(dirname "$0")/../support/e2e.sh"

pay=$WORK/payloads
mkdir "$pay"
trusted_author
for name in greedy breaker; do copy "$(image raw mini-debian)" "$WORK/$name.raw"; done

# A program that runs code which it has just written, so that an emulator translates ever more of it: mmap, fill with "inc eax", call.
python3 - "$pay/grow" <<'PYTHON'
import struct, sys
size = 24 << 20
code = b"".join([
    b"\x31\xff", b"\xbe" + struct.pack("<I", size), b"\xba\x07\0\0\0", b"\x41\xba\x22\0\0\0", b"\x49\xc7\xc0\xff\xff\xff\xff",
    b"\x45\x31\xc9", b"\xb8\x09\0\0\0", b"\x0f\x05",                            # mmap(0, size, 7, private|anonymous, -1, 0)
    b"\x48\x89\xc7", b"\x48\x89\xc3", b"\xb9" + struct.pack("<I", size // 2 - 1), b"\x66\xb8\xff\xc0", b"\xf3\x66\xab",
    b"\xc6\x07\xc3", b"\xff\xd3", b"\x31\xff", b"\xb8\x3c\0\0\0", b"\x0f\x05"])  # …, ret; call; exit(0)
base, start = 0x400000, 64 + 56
elf = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + start, 64, 0, 0, 64, 56, 1, 64, 0, 0)
elf += struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, start + len(code), start + len(code), 4096)
open(sys.argv[1], "wb").write(elf + code)
PYTHON
cat >"$pay/greedy.sh" <<'SCRIPT'
#!/bin/sh
# Code without end for an emulator, and all memory of the appliance; the kernel ends the program that takes it.
/srv/grow || exit 9
head -c 900M /dev/zero | tail -c 900M >/dev/null
dd if=/dev/zero of=/run/full bs=1M count=200 2>/dev/null
# Messages to the console and, 4.2 MB, on the output, of bytes that the log writes as four each.
{ head -c 1000 /dev/zero | tr '\0' '\033'; echo; } >/srv/line
for i in 1 2 3 4 5 6; do cat /srv/line /srv/line >/srv/more && cat /srv/more /srv/more >/srv/line; done
head -c 500000 /srv/line >/dev/console
cat /srv/line
# A file that is a hole.
rm -f /srv/more /srv/line /run/full
dd if=/dev/null of=/srv/huge bs=1M seek=2048 2>/dev/null
SCRIPT
cat >"$pay/breaker.sh" <<'SCRIPT'
#!/bin/sh
# Files in memory, until the kernel ends whatever it can.
(dd if=/dev/zero of=/run/full bs=1M; dd if=/dev/zero of=/dev/shm/full bs=1M) 2>/dev/null
rm -f /run/full /dev/shm/full
# Every disk that there is, its own and the appliance's, is overwritten from its start.
for disk in /dev/sd[a-z] /dev/vd[a-z]; do
  [ ! -b $disk ] || dd if=/dev/zero of=$disk bs=1M count=48 conv=fsync 2>&1
done
# The appliance's way to its host.
for port in /dev/virtio-ports/* /dev/vport*; do [ ! -c $port ] || echo nonsense >$port; done
echo b >/proc/sysrq-trigger
sleep 600
SCRIPT
payload() { printf -- '  - {name: %s, sha256: "%s", size: %s}\n' "$1" "$(digest_of "$pay/$1")" "$(stat -c %s "$pay/$1")"; }
# recipe NAME STEP …
recipe() {
  local name=$1
  shift
  {
    printf '%s\n' "schema: vm-patch/recipe/v1" "id: $name" "version: 1" "title: Hostile" "issued: 2020-01-01" "applies_to: {os: {id: debian}}" payloads:
    payload grow
    payload "$name.sh"
    printf '%s\n' steps: '  - file: {path: /srv/grow, payload: grow, mode: "0755"}' "$@"
    printf '%s\n' verify: '  - file: {path: /srv/huge, content: "small"}'
  } >"$WORK/$name.yaml"
  expect_exit 0 vm-patch recipe bundle "$WORK/$name.yaml" --payloads "$pay" --key "$WORK/author" -o "$WORK/$name.vmpatch"
}
recipe greedy '  - run: {payload: greedy.sh, timeout: 20m}'
recipe breaker '  - run: {payload: breaker.sh, timeout: 60s}'

# attack NAME REGEX: apply, measured; it fails with that reason, and the base is as before.
attack() {
  local before after
  before=$(digest_of "$WORK/$1.raw")
  expect_exit 1 "$VMPATCH_SOURCE_DIR/tests/support/peak_memory.py" "$WORK/$1.peak" "$VMPATCH" --state-dir "$WORK/state" --config "$WORK/vm-patch.yaml" \
    -v apply -a "$WORK/$1.raw" --format raw -r "$WORK/$1.vmpatch" --yes
  expect_text "$OUT" "$1.raw: not patched"
  expect_text "$OUT" "$2"
  after=$(digest_of "$WORK/$1.raw")
  expect_same "$1.raw" "$before" "$after"
  expect_same 'files of runs' '' "$(find "$WORK/state/runs" -mindepth 1)"
  expect_exit 0 vm-patch recover
  expect_text "$OUT" 'no interrupted run'
  echo "peak of host memory: $(cat "$WORK/$1.peak") MiB"
}

title 'a script that takes all it can get, prints without end and leaves a huge file'
attack greedy '/srv/huge has other content'
log=$(find "$WORK/state/logs" -name '*.log' ! -name read.log)
expect_text "$log" 'this log is full'
expect_text "$log" "run [0-9a-f-]* failed"
[ "$(cat "$WORK/greedy.peak")" -le 1536 ] || failed "the run held $(cat "$WORK/greedy.peak") MiB"
[ "$(cat "$WORK/greedy.peak")" -ge 500 ] || failed "the run held $(cat "$WORK/greedy.peak") MiB, so nothing was measured"
size=$(stat -c %s "$log")
echo "run log: $size bytes"
[ "$size" -le $((16 << 20)) ] || failed "the log has $size bytes"
expect_no_text "$log" $'\033'

title 'a script that overwrites every disk, talks to the appliance'"'"'s host and resets the machine'
attack breaker 'step .run breaker.sh'
