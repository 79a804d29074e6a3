#!/usr/bin/env bash
# Programs in folders that only root may enter, as below a home of mode 0700 or installed under umask 077: guests are read by an
# account that cannot walk there.
if [ -z "${CLOSED_PRIVATE:-}" ]; then  # an installation that nobody else sees
  exec env CLOSED_PRIVATE=1 unshare --mount --propagation private bash "$0"
fi
set -euo pipefail  # without its variables nothing may run
source "$(dirname "$0")/../support/e2e.sh"
build=$(dirname "$(dirname "$VMPATCH")")
disk=$WORK/mini.qcow2
copy "$(image qcow2 mini-debian)" "$disk"
umask 077

# works PROGRAM: reads without an appliance and with one; nobody but root may look at it.
works() {
  local mode
  mode=$(namei -mx "$1" | awk '$1 ~ /^[dD]/ && $1 !~ /x$/ {print "closed"; exit}')
  expect_same "a folder above $1" closed "$mode"
  expect_exit 0 "$1" --state-dir "$WORK/state" --config "$WORK/vm-patch.yaml" -v inspect --fresh -a "$disk" --format qcow2
  expect_text "$OUT" '^  read by +direct: '
  expect_exit 0 "$1" --state-dir "$WORK/state" --config "$WORK/vm-patch.yaml" doctor
  expect_no_text "$OUT" 'Permission denied'
}

title "a build tree below a closed folder with a space in its path"
mkdir -p "$WORK/closed home/build"
cp -r "$build/bin" "$WORK/closed home/build/"
works "$WORK/closed home/build/bin/vm-patch"

title "an installation under umask 077, where folders above are open and its own are closed"
prefix=$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$build/CMakeCache.txt")
mkdir -p "$WORK/prefix" "$prefix"
mount --bind "$WORK/prefix" "$prefix"
at_end=("umount '$prefix'" "${at_end[@]}")
cmake --install "$build" >"$OUT"
# Installed files get their modes by CMake, folders by the umask.
works "$prefix/bin/vm-patch"

title "the installed one patches, with an appliance"
VMPATCH=$prefix/bin/vm-patch
trusted_author
debs=$(image debs mini-debian)
bundle_of demo "$WORK/demo.vmpatch" "$debs"/libdemo_2.0_all.deb "$debs"/demo-app_2.0_all.deb
expect_exit 0 vm-patch apply -a "$disk" --format qcow2 -r "$WORK/demo.vmpatch" --yes
expect_exit 0 vm-patch verify -a "$disk" --format qcow2 -r "$WORK/demo.vmpatch"
