#!/usr/bin/env bash
# Where results go: files with their modes, links, standard output that is full or closed, and what the program says to a wrong word.
set -euo pipefail  # without its variables nothing may run
source "$(dirname "$0")/../support/e2e.sh"
disk=$WORK/mini.qcow2
copy "$(image qcow2 mini-debian)" "$disk"
bill=(inspect -a "$disk" --format qcow2 --sbom spdx)
list=(scan -a "$disk" --format qcow2 --package dpkg)
deb=$(find "$(image debs mini-debian)" -name 'demo-conf_2.0_all.deb')
mode_of() { stat -c %a "$1"; }

# each NAME …: the verbs that have -o, as the words before it.
each_writer() {
  "$@" vm-patch "${bill[@]}"
  "$@" vm-patch "${list[@]}"
  "$@" vm-patch recipe from-packages "$deb" --id demo
}

title 'a new file has the mode that the umask leaves'
new_file() {
  rm -f "$WORK/new"
  (umask "$mask"; expect_exit 0 "$@" -o "$WORK/new")
  expect_same "mode after umask $mask: ${*:2:2}" "$mode" "$(mode_of "$WORK/new")"
  [ -s "$WORK/new" ] || failed 'it is empty'
}
mask=027 mode=640
each_writer new_file
mask=002 mode=664
each_writer new_file

title 'a file that exists keeps its mode and its owner'
old_file() {
  printf old >"$WORK/kept"
  chmod 0604 "$WORK/kept"
  [ "$(id -u)" != 0 ] || chown 65534:65533 "$WORK/kept"
  owner=$(stat -c %u:%g "$WORK/kept")
  expect_exit 0 "$@" -o "$WORK/kept"
  expect_same "mode: ${*:2:2}" 604 "$(mode_of "$WORK/kept")"
  expect_same "owner: ${*:2:2}" "$owner" "$(stat -c %u:%g "$WORK/kept")"
  expect_no_text "$WORK/kept" '^old'
}
each_writer old_file

title 'a link stays, and what it leads to is written'
link() {
  printf old >"$WORK/behind"
  ln -sfn behind "$WORK/link"
  expect_exit 0 "$@" -o "$WORK/link"
  [ -L "$WORK/link" ] || failed "the link was replaced: ${*:2:2}"
  expect_no_text "$WORK/behind" '^old'
  ln -sfn /proc/self/fd/1 "$WORK/output"
  expect_exit 0 "$@" -o "$WORK/output"
  [ -L "$WORK/output" ] || failed "the link to standard output was replaced: ${*:2:2}"
  [ -s "$OUT" ] || failed "nothing came through the link to standard output: ${*:2:2}"
}
each_writer link

title 'nothing stays of a scan that is interrupted while it writes'
mkdir "$WORK/results"
python3 - "$VMPATCH" "$WORK" "${list[@]}" <<'PYTHON'
import os, signal, subprocess, sys, time
vm_patch, work, words = sys.argv[1], sys.argv[2], sys.argv[3:]
ends = set()
target = work + "/results/scan.txt"
for wait in [0.003 * n for n in range(60)]:
    if os.path.exists(target):
        os.unlink(target)
    process = subprocess.Popen([vm_patch, "--state-dir", work + "/state", "--config", work + "/vm-patch.yaml", *words, "-o", target],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(wait)
    process.send_signal(signal.SIGINT)
    ends.add(process.wait())
    assert not set(os.listdir(work + "/results")) - {"scan.txt"}, os.listdir(work + "/results")
assert -signal.SIGINT in ends, ends
PYTHON
expect_exit 0 vm-patch recover  # removes their folders for sockets

title 'doctor says which account reads guests, and what to do where it is not an own one'
vm-patch doctor >"$WORK/doctor" 2>"$ERR" || true
grep -q 'Landlock' "$WORK/doctor" || failed 'nothing about Landlock'
account=$(grep 'worker account' "$WORK/doctor") || failed 'nothing about the account'
if [ "$(id -u)" = 0 ] && ! getent passwd vm-patch >/dev/null; then
  [[ $account == *systemd-sysusers*useradd* ]] || failed "no remedy: $account"
fi

title 'a result that does not arrive is a failure, of whatever verb'
full=(
  "inspect -a $disk --format qcow2"
  "inspect -a $disk --format qcow2 --json"
  "inspect -a $disk --format qcow2 --sbom cyclonedx"
  "scan -a $disk --format qcow2 --package dpkg"
  "inventory --folder $WORK"
  "recipe new" "status" "doctor" "audit list" "key list --json" "--help" "--version"
)
for words in "${full[@]}"; do
  for place in full closed gone; do
    status=0
    # shellcheck disable=SC2086  # words
    case $place in
      full) vm-patch $words >/dev/full 2>"$ERR" || status=$? ;;
      closed) vm-patch $words >&- 2>"$ERR" || status=$? ;;
      gone)
        # A pipe that nobody reads, nor will. A signal would end vm-patch in the middle of another machine's commit.
        { (sleep 0.2; vm-patch $words 2>"$ERR" || echo $? >"$WORK/status"); } | :
        status=$(cat "$WORK/status")
        rm "$WORK/status"
        expect_same "exit code of $words where nobody reads" 1 "$status"
        ;;
    esac
    [ "$status" != 0 ] || failed "exit code 0 although the result went nowhere ($place): $words"
    [ $place = gone ] || expect_text "$ERR" 'vm-patch: error: .*(No space left on device|Bad file descriptor)'
    [ $place != gone ] || expect_no_text "$ERR" 'standard output: Broken pipe'
  done
done

title 'a closed standard output is no place for a file of ours'
status=0
vm-patch inspect --fresh -a "$disk" --format qcow2 >&- 2>"$ERR" || status=$?
expect_same 'exit code' 1 "$status"
! grep -rlF '(dpkg)' "$WORK/state" || failed 'the result is in a file of the state directory'
expect_exit 0 vm-patch inspect -a "$disk" --format qcow2
expect_text "$OUT" '\(dpkg\)$'

title 'messages name the wrong word and the way out'
expect_exit 2 vm-patch scna
expect_text "$ERR" "'scna' is no verb of vm-patch$"
expect_exit 2 vm-patch key generat
expect_text "$ERR" "'generat' is no verb of vm-patch key$"
expect_exit 2 vm-patch verify -d x
expect_text "$ERR" '--recipe is required'
expect_exit 2 vm-patch "${bill[@]}" -o "$WORK/bills/"
expect_text "$ERR" "$WORK/bills/: there is no such folder; make it first"
expect_exit 2 vm-patch --color green key list
expect_exit 0 vm-patch --color never key list
expect_exit 0 vm-patch --help
expect_text "$OUT" '--color WHEN:\{always,auto,never\}$'
echo 'all done'
