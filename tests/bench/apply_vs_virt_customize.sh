#!/usr/bin/env bash
# vm-patch apply against what a user would take instead, virt-customize, on the same image with the same packages.
#
#   apply_vs_virt_customize.sh BUILD-FOLDER [RUNS]       (default 3 each, alternating; prints every time and the medians)
#
# vm-patch verifies, commits with an undo image, and attests; virt-customize edits in place. Appliances of both are built
# before the clock runs.
set -euo pipefail
build=$(cd "${1:?usage: apply_vs_virt_customize.sh BUILD-FOLDER [RUNS]}" && pwd)
runs=${2:-3}
export VMPATCH=$build/bin/vm-patch VMPATCH_SOURCE_DIR
VMPATCH_SOURCE_DIR=$(cd "$(dirname "$0")/../.." && pwd)
source "$VMPATCH_SOURCE_DIR/tests/support/e2e.sh"

# The same accelerator for both: whatever vm-patch finds on this host.
export LIBGUESTFS_BACKEND=direct
vm-patch doctor --json >"$WORK/doctor.json" || true
grep -q '"text": "TCG' "$WORK/doctor.json" && export LIBGUESTFS_BACKEND_SETTINGS=force_tcg
image=$(image qcow2 debian-12-outdated)
mapfile -t names < <(awk '$1 ~ /^(openssl|libssl3|tzdata|libexpat1|liblzma5|curl|libcurl4|libssh2-1|libpcre2-8-0)$/ {print $1}' "$(image packages debian-12-outdated)" | head -n 7)
mkdir "$WORK/debs"
"$VMPATCH_SOURCE_DIR/testimages/fetch-newer" "$(image status debian-12-outdated)" "$WORK/debs" "${names[@]}"
trusted_author
bundle_of bench "$WORK/bench.vmpatch" "$WORK"/debs/*.deb

now() { date +%s.%N; }
one_apply() {
  copy "$image" "$WORK/apply.qcow2"
  local began
  began=$(now)
  vm-patch apply -a "$WORK/apply.qcow2" --format qcow2 -r "$WORK/bench.vmpatch" --yes >/dev/null 2>"$ERR"
  echo "$(now) $began" | awk '{printf "%.1f\n", $1 - $2}'
}
one_customize() {
  copy "$image" "$WORK/customize.qcow2"
  local began
  began=$(now)
  virt-customize -q --format qcow2 -a "$WORK/customize.qcow2" --no-network --copy-in "$WORK/debs:/var/tmp" \
    --run-command 'DEBIAN_FRONTEND=noninteractive dpkg -i /var/tmp/debs/*.deb' >/dev/null 2>"$ERR"
  echo "$(now) $began" | awk '{printf "%.1f\n", $1 - $2}'
}
median() { sort -n | awk '{t[NR] = $1} END {print t[int((NR + 1) / 2)]}'; }

one_apply >/dev/null
one_customize >/dev/null
for ((i = 1; i <= runs; i++)); do
  one_apply | tee -a "$WORK/apply.times" | sed 's/^/vm-patch apply:  /'
  one_customize | tee -a "$WORK/customize.times" | sed 's/^/virt-customize:  /'
done
echo "median of $runs, ${#names[@]} packages (${names[*]}):"
echo "  vm-patch apply  $(median <"$WORK/apply.times") s"
echo "  virt-customize  $(median <"$WORK/customize.times") s"
