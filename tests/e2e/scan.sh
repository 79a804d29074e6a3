#!/usr/bin/env bash
# What machines are missing: a real outdated guest, feeds in their real formats about packages that are really on it, a
# running machine, a broken disk, orphans, and the gate's own records of starts.
set -euo pipefail  # without its variables nothing may run
source "$(dirname "$0")/../support/e2e.sh"

host=$(mktemp -d /var/tmp/vpl.XXXXXX)
at_end+=('rm -rf --one-file-system "$host"')
inside() { "$VMPATCH_SOURCE_DIR/tests/support/private-libvirtd.sh" exec "$host" "$@"; }
at_end=('"$VMPATCH_SOURCE_DIR/tests/support/private-libvirtd.sh" stop "$host"' "${at_end[@]}")
"$VMPATCH_SOURCE_DIR/tests/support/private-libvirtd.sh" start "$host" >/dev/null
virsh() { inside "$(type -P virsh)" -q -c qemu:///system "$@"; }
vm-patch() {
  inside env VM_PATCH_CACHE="$WORK/cache" "$VMPATCH" --state-dir "$WORK/state" --config "$WORK/vm-patch.yaml" -c qemu:///system "$@"
}

images=$WORK/images
feeds=$WORK/feeds
mkdir "$images" "$WORK/pool"
copy "$(image qcow2 debian-12-outdated)" "$images/web01.qcow2"
copy "$(image qcow2 mini-debian)" "$images/live.qcow2"
copy "$(image qcow2 mini-debian)" "$WORK/pool/old.qcow2"
truncate -s 1M "$WORK/pool/notes.iso"
"$VMPATCH_SOURCE_DIR/tests/support/scan_feeds.py" "$(image status debian-12-outdated)" "$feeds"
all_feeds=()
# KEV and EPSS first: they count although they only add to what the others tell.
for feed in kev.json epss.csv tracker.json osv.json vex.json; do all_feeds+=(--feed "$feeds/$feed"); done

# define NAME: with a disk of that name; metadata of vm-patch on standard input.
define() {
  cat >"$WORK/$1.xml" <<XML
<domain type='qemu'><name>$1</name><memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm</type></os>
<metadata>$(cat)</metadata>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file'><driver name='qemu' type='qcow2'/><source file='$images/$1.qcow2'/><target dev='vda' bus='virtio'/></disk>
</devices></domain>
XML
  virsh define "$WORK/$1.xml"
}
define web01 <<<'<v:vm-patch xmlns:v="https://vm-patch.org/domain/1" group="front" criticality="high" exposure="internet"/>'
define live </dev/null
virsh pool-create-as spare dir --target "$WORK/pool"
cat >"$WORK/vm-patch.yaml" <<CONFIG
schema: vm-patch/config/v1
groups:
  - name: web
    match: {names: ["web*"]}
    baseline: {attested: true}
CONFIG

# json EXPRESSION: a statement in Python about the output, parsed as d.
json() {
  python3 - "$OUT" "$1" <<'PYTHON' || failed "not so: $1"
import json, sys
d = json.load(open(sys.argv[1]))
if isinstance(d.get("machines"), list):
    by = {m["machine"]["name"].rsplit("/", 1)[-1].removesuffix(".qcow2"): m for m in d["machines"]}
    found = {f["advisory"]["id"]: f for m in d["machines"] for f in m.get("findings", []) if isinstance(f.get("advisory"), dict)}
assert eval(sys.argv[2]), json.dumps(d, indent=1)[:4000]
PYTHON
}

title 'without a feed nothing is compared, and that is said'
expect_exit 2 vm-patch scan -d web01
expect_text "$ERR" 'no feed is named; name one with --feed'

title 'the table tells machine, priority, id, package, versions and flags, most urgent first'
expect_exit 3 vm-patch scan -d web01 "${all_feeds[@]}"
expect_text "$OUT" '^web01 +[0-9.]+ critical +CVE-2026-10001 +openssl +[^ ]+ +[^ ]+\+deb12u99 +KEV \(ransomware\), EPSS 93\.21%'
expect_text "$OUT" '^web01 +[0-9.]+ [a-z]+ +CVE-2026-10003 +bash +[^ ]+ +no fix yet'
expect_text "$OUT" '^web01 +[0-9.]+ [a-z]+ +CVE-2026-10004 +systemd +[^ ]+ +under investigation'
expect_text "$OUT" '^web01 +[0-9.]+ [a-z]+ +CVE-2026-10006 +curl'
expect_no_text "$OUT" 'CVE-2026-1000(2|5|7|8)'
expect_same 'the first finding' CVE-2026-10001 "$(sed -n 2p "$OUT" | awk '{print $4}')"
expect_text "$OUT" "^$feeds/kev.json +kev .* 1 +1 +0 +0"
expect_text "$OUT" "^$feeds/osv.json +osv .* 3 +3 +1 +0"
expect_text "$OUT" '^1 machine, 1 affected; findings: 2 with a fix, 1 without, 1 under investigation'

title 'with --status all there is a reason for what is not affected'
expect_exit 3 vm-patch scan -d web01 "${all_feeds[@]}" --status all
expect_text "$OUT" 'CVE-2026-10002 +openssl .* not affected .*fixed'
expect_text "$OUT" 'CVE-2026-10007 +openssh .* not affected .*withdrawn'
expect_text "$OUT" 'CVE-2026-10008 +openssh .* not affected .*vulnerable_code_not_present'
expect_no_text "$OUT" 'CVE-2026-10005'

title '--explain prints each factor, with the metadata of the machine'
expect_exit 3 vm-patch scan -d web01 "${all_feeds[@]}" --explain
expect_text "$OUT" 'severity +39\.2 of 40 +CVSS 9\.8'
expect_text "$OUT" 'exploited +25\.0 of 25 .*ransomware'
expect_text "$OUT" 'criticality +6\.0 of 8 +high'
expect_text "$OUT" 'exposure +7\.0 of 7 +internet'
expect_text "$OUT" 'also called +DSA-9001-1'
expect_text "$OUT" 'told by +debian-tracker:CVE-2026-10001'

title 'JSON holds feeds, machines, findings and factors; it is read once, then kept'
expect_exit 3 vm-patch scan -d web01 "${all_feeds[@]}" --status all --json --fresh
json 'd["schema"] == "vm-patch/scan/v1" and by["web01"]["assessed"] and not by["web01"]["cached"]'
json '{f: found[f]["status"] for f in found} == {"CVE-2026-10001": "affected_fixed", "CVE-2026-10002": "not_affected", "CVE-2026-10003": "affected_unfixed", "CVE-2026-10004": "under_investigation", "CVE-2026-10006": "affected_fixed", "CVE-2026-10007": "not_affected", "CVE-2026-10008": "not_affected"}'
# What was written within the last two seconds is never kept: its times do not tell yet.
sleep 3
expect_exit 3 vm-patch scan -d web01 "${all_feeds[@]}" --status all --json --fresh
json 'by["web01"]["counts"] == {"affected_fixed": 2, "affected_unfixed": 1, "under_investigation": 1, "not_affected": 3}'
json 'abs(sum(f["weight"] for f in found["CVE-2026-10001"]["priority"]["factors"]) - found["CVE-2026-10001"]["priority"]["score"]) < 0.5'
json '[f["sha256"] for f in d["feeds"]] and all(len(f["sha256"]) == 64 for f in d["feeds"])'
json 'any("libssl3" in b for b in found["CVE-2026-10001"]["binaries"])'
expect_exit 3 vm-patch scan -d web01 "${all_feeds[@]}" --json
json 'by["web01"]["cached"] and "CVE-2026-10002" not in found'

title '--fail-on compares with the priority; --status chooses what is shown, not what counts'
expect_exit 3 vm-patch scan -d web01 "${all_feeds[@]}" --fail-on critical
expect_exit 0 vm-patch scan -d web01 --feed "$feeds/tracker.json" --fail-on critical
expect_exit 3 vm-patch scan -d web01 --feed "$feeds/tracker.json" --fail-on high
expect_exit 0 vm-patch scan -d web01 "${all_feeds[@]}" --fail-on never
for status in under_investigation affected_unfixed not_affected; do
  expect_exit 3 vm-patch scan -d web01 "${all_feeds[@]}" --status $status --fail-on critical
  expect_no_text "$OUT" 'CVE-2026-10001'
done
expect_exit 0 vm-patch scan -d web01 --feed "$feeds/vex.json"
expect_exit 2 vm-patch scan -d web01 "${all_feeds[@]}" --fail-on sometimes
expect_exit 2 vm-patch scan -d web01 "${all_feeds[@]}" --status clean

title 'a question that gives no list of findings refuses what is about the list, and empty names'
for question in '--fix CVE-2026-10001' '--package openssl' '--lag' '--retire 30'; do
  for option in '--fail-on high' '--fail-on none' '--status all' '--explain'; do
    # shellcheck disable=SC2086  # words
    expect_exit 2 vm-patch scan -d web01 "${all_feeds[@]}" $question $option
    expect_text "$ERR" 'about the list of findings'
  done
done
expect_exit 2 vm-patch scan -d web01 "${all_feeds[@]}" --fix ''
expect_text "$ERR" '--fix: name a vulnerability'
expect_exit 2 vm-patch scan -d web01 "${all_feeds[@]}" --package ''
expect_text "$ERR" '--package: name a package'
expect_exit 2 vm-patch scan -d web01 "${all_feeds[@]}" --fix '' --lag

title 'feeds that are named wrongly are explained'
expect_exit 2 vm-patch scan -d web01 --feed "tracker=$feeds/tracker.json"
expect_text "$ERR" "'tracker' is no kind of feed, .* KIND is osv, debian-tracker, csaf, kev or epss"
expect_exit 2 vm-patch scan -d web01 --feed "file://$feeds/tracker.json"
expect_text "$ERR" 'a file is named by its path alone'
expect_exit 2 vm-patch scan -d web01 --feed "osv=file://$feeds/osv.json"
mkdir "$WORK/odd"
cp "$feeds/vex.json" "$WORK/odd/a=b.json"
expect_exit 0 inside env -C "$WORK/odd" VM_PATCH_CACHE="$WORK/cache" "$VMPATCH" --state-dir "$WORK/state" --config "$WORK/vm-patch.yaml" \
  -c qemu:///system scan -d web01 --feed a=b.json

title 'a record that was not understood may be about this machine: no answer is whole without it'
echo '{"dpkg": {"CVE-2026-10031": {"description": "x", "releases": "all of them"}}}' >"$WORK/strange.json"
strange=(--feed "$feeds/vex.json" --feed "$WORK/strange.json")
expect_exit 0 vm-patch scan -d web01 --feed "$feeds/vex.json" --json
json 'd["summary"]["complete"] and d["incomplete_feeds"] == []'
expect_exit 1 vm-patch scan -d web01 "${strange[@]}"
expect_text "$OUT" "^not understood: 1 of 1 records of feed $WORK/strange.json"
expect_text "$OUT" '0 affected.*; not the whole answer$'
expect_exit 1 vm-patch scan -d web01 "${strange[@]}" --json
json "not d['summary']['complete'] and d['incomplete_feeds'] == ['$WORK/strange.json'] and by['web01']['assessed']"
expect_exit 1 vm-patch scan -d web01 "${strange[@]}" --output-format sarif
json 'not d["runs"][0]["invocations"][0]["executionSuccessful"] and "strange.json" in d["runs"][0]["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]'
expect_exit 1 vm-patch scan -d web01 "${strange[@]}" --output-format csv
expect_exit 3 vm-patch scan -d web01 "${strange[@]}" --feed "$feeds/tracker.json"
for question in '--fix CVE-2026-10008' '--lag' '--retire 30'; do
  # shellcheck disable=SC2086  # words
  expect_exit 0 vm-patch scan -d web01 --feed "$feeds/vex.json" $question --json
  json 'd["complete"]'
  # shellcheck disable=SC2086
  expect_exit 1 vm-patch scan -d web01 "${strange[@]}" $question
  expect_text "$OUT" '^not understood: 1 of 1 records'
  # shellcheck disable=SC2086
  expect_exit 1 vm-patch scan -d web01 "${strange[@]}" $question --json
  json 'not d["complete"] and len(d["incomplete_feeds"]) == 1'
done

title 'CSV has a header, one row a finding, and no formulas'
expect_exit 3 vm-patch scan -d web01 "${all_feeds[@]}" --output-format csv -o "$WORK/scan.csv"
[ ! -s "$OUT" ] || failed 'with -o something is on standard output'
python3 - "$WORK/scan.csv" <<'PYTHON'
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1], newline="")))
assert len(rows) == 4, rows
assert {r["id"] for r in rows} == {"CVE-2026-10001", "CVE-2026-10003", "CVE-2026-10004", "CVE-2026-10006"}, rows
assert all(None not in r and None not in r.values() for r in rows)
assert not any(v[:1] in ("=", "+", "-", "@") for r in rows for v in r.values())
PYTHON
sed 's/Debian:12/Debian:11/g' "$feeds/osv.json" >"$WORK/eleven.json"
cp "$images/live.qcow2" "$images/=1+2.qcow2"
define '=1+2' </dev/null
echo '{"dpkg": {"CVE-2026-10041": {"releases": {"bookworm": {"status": "open", "repositories": {"bookworm": "1"}, "urgency": "low"}}}}}' >"$WORK/open.json"
expect_exit 3 vm-patch scan -d '=1+2' --feed "$WORK/open.json" --output-format csv
expect_text "$OUT" "^'=1\+2,.*,affected_unfixed,CVE-2026-10041,"
expect_no_text "$OUT" '(^|,"?)[=+@-]'
expect_exit 1 vm-patch scan -d '=1+2' --feed "$WORK/eleven.json" --output-format csv
expect_text "$OUT" "^'=1\+2,.*,unassessable,"
expect_no_text "$OUT" '(^|,"?)[=+@-]'
virsh undefine '=1+2'
rm "$images/=1+2.qcow2"

title 'SARIF points from results to rules, and says what was not assessed'
head -c 70000 "$images/live.qcow2" >"$images/broken.qcow2"
expect_exit 3 vm-patch scan -d web01 -a "$images/broken.qcow2" --format qcow2 "${all_feeds[@]}" --output-format sarif
json 'd["version"] == "2.1.0" and len(d["runs"]) == 1'
json 'all(r["ruleId"] == d["runs"][0]["tool"]["driver"]["rules"][r["ruleIndex"]]["id"] for r in d["runs"][0]["results"])'
json '{r["properties"]["security-severity"] for r in d["runs"][0]["tool"]["driver"]["rules"]} == {"8.0", "5.5", "9.8"}'
json '{r["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] for r in d["runs"][0]["results"]} == {"web01/openssl", "web01/bash", "web01/systemd", "web01/curl"}'
json 'not d["runs"][0]["invocations"][0]["executionSuccessful"] and "broken" in d["runs"][0]["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]'

title 'a disk that cannot be read is not assessed, and never clean'
expect_exit 1 vm-patch scan -a "$images/broken.qcow2" --format qcow2 "${all_feeds[@]}"
expect_text "$OUT" '^not assessed: .*broken.qcow2.*outside the file'
expect_text "$OUT" '1 not assessed'
expect_exit 1 vm-patch scan -a "$images/broken.qcow2" --format qcow2 "${all_feeds[@]}" --json
json 'by["broken"]["assessed"] is False and by["broken"]["counts"] is None and d["summary"]["unassessable"] == 1'

title 'a system that no feed speaks of is not assessed'
expect_exit 1 vm-patch scan -d web01 --feed "$WORK/eleven.json"
expect_text "$OUT" '^not assessed: .*web01'

title 'a missing feed and one that is none end the scan'
expect_exit 1 vm-patch scan -d web01 --feed "$feeds/tracker.json" --feed "$WORK/missing.json"
expect_text "$ERR" 'missing.json'
[ ! -s "$OUT" ] || failed 'there is a result all the same'
head -c 4096 /dev/urandom >"$WORK/garbage.json"
expect_exit 1 vm-patch scan -d web01 --feed "$feeds/tracker.json" --feed "$WORK/garbage.json" --json
expect_text "$ERR" 'garbage.json'
json 'd["schema"] == "vm-patch/error/v1"'
head -c 300 "$feeds/tracker.json" >"$WORK/torn.json"
expect_exit 1 vm-patch scan -d web01 --feed "$WORK/torn.json" -o "$WORK/never.txt"
[ ! -e "$WORK/never.txt" ] || failed 'half a result was written'

title 'feeds of the configuration, and a group of it'
printf 'feeds: [%s/tracker.json, "kev=%s/kev.json"]\n' "$feeds" "$feeds" >>"$WORK/vm-patch.yaml"
expect_exit 3 vm-patch scan --group web
expect_text "$OUT" '^web01 .*CVE-2026-10001 .*KEV'
expect_no_text "$OUT" 'live'
expect_exit 3 vm-patch scan --group front
expect_exit 1 vm-patch scan --group nobody
expect_text "$ERR" 'no machine on .* is in group nobody'

title 'a feed from a server is kept; without the server the copy is used, and its age is told'
python3 -u -c 'import functools, http.server, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.HTTPServer(("127.0.0.1", 0), handler)
print(server.server_port)
server.serve_forever()' "$feeds" >"$WORK/port" 2>"$WORK/server.log" &
server=$!
at_end=("kill $server 2>/dev/null" "${at_end[@]}")
for ((try = 0; try < 100; try++)); do [ ! -s "$WORK/port" ] || break; sleep 0.1; done
url=http://127.0.0.1:$(cat "$WORK/port")/tracker.json
expect_exit 1 vm-patch scan -d web01 --feed "$url" --offline
expect_exit 3 vm-patch scan -d web01 --feed "debian-tracker=$url"
expect_text "$OUT" '^web01 .*CVE-2026-10001'
kill $server
wait $server || true
expect_exit 3 vm-patch scan -d web01 --feed "$url"
expect_exit 3 vm-patch scan -d web01 --feed "$url" --offline
expect_no_text "$ERR" 'warning'
expect_exit 3 vm-patch scan -d web01 --feed "$url" --refresh
expect_text "$ERR" 'warning: feed http://127\.0\.0\.1.*using the copy of'
expect_exit 2 vm-patch scan -d web01 --feed "$url" --refresh --offline

title '--fix: who lacks it, and whom the gate would refuse for it'
expect_exit 3 vm-patch scan --all "${all_feeds[@]}" --fix DSA-9001-1 --json
json '[a["id"] for a in d["advisories"]] == ["CVE-2026-10006"]'
json 'by["web01"]["answer"] == "missing" and by["web01"]["group"] == "web" and by["web01"]["gate"] == "refuse"'
json 'by["live"]["answer"] == "not_affected" and by["live"]["gate"] is None'
expect_exit 3 vm-patch scan --all "${all_feeds[@]}" --fix CVE-2026-10001
expect_text "$OUT" '^web01 +missing +CVE-2026-10001 +openssl .* web +would be refused at the next start'
expect_text "$OUT" 'the gate would refuse 1 of them'
expect_exit 0 vm-patch scan --all "${all_feeds[@]}" --fix CVE-2026-10002
expect_exit 0 vm-patch scan --all "${all_feeds[@]}" --fix CVE-2026-10005
expect_exit 3 vm-patch scan --all "${all_feeds[@]}" --fix CVE-2026-10003
expect_text "$OUT" '^web01 +no fix yet +CVE-2026-10003 +bash'
expect_text "$OUT" '^2 of 2 machines are affected, and there is no fix yet; the gate would refuse 1 of them'
expect_no_text "$OUT" 'lack the fix'
expect_exit 3 vm-patch scan --all "${all_feeds[@]}" --fix CVE-2026-10003 --json
json '{m["answer"] for m in d["machines"]} == {"no_fix_yet"}'
expect_exit 1 vm-patch scan --all "${all_feeds[@]}" --fix CVE-2026-19999
expect_text "$ERR" 'no feed has a record of CVE-2026-19999'

title '--fix with an announcement of several vulnerabilities asks for each of them'
PYTHONPATH="$VMPATCH_SOURCE_DIR/tests/support" PYTHONDONTWRITEBYTECODE=1 python3 - "$WORK" "$(image status debian-12-outdated)" <<'PYTHON'
import json, pathlib, sys
import scan_feeds
out, installed = pathlib.Path(sys.argv[1]), scan_feeds.source_versions(sys.argv[2])["curl"]
several = scan_feeds.osv("DSA-9004-1", "curl", installed + "+deb12u99", "CVE-2026-10021")
several["upstream"].append("CVE-2026-10022")
(out / "several.json").write_text(json.dumps(several))
(out / "first.json").write_text(json.dumps(scan_feeds.vex("curl", installed, "CVE-2026-10021")))
PYTHON
several=(--feed "$WORK/several.json" --feed "$WORK/first.json")
expect_exit 0 vm-patch scan -d web01 "${several[@]}" --fix CVE-2026-10021
expect_exit 3 vm-patch scan -d web01 "${several[@]}" --fix dsa-9004-1 --json
json '[a["id"] for a in d["advisories"]] == ["CVE-2026-10021", "CVE-2026-10022"] and by["web01"]["answer"] == "missing"'
json '{f["advisory"]: f["status"] for f in by["web01"]["findings"]} == {"CVE-2026-10021": "not_affected", "CVE-2026-10022": "affected_fixed"}'

title '--package: all versions of a binary or source package, without a feed'
expect_exit 0 vm-patch scan --all --package openssl
expect_text "$OUT" '^libssl3 .* openssl .* web01'
expect_text "$OUT" '^openssl .* web01'
expect_text "$OUT" '^without it: live'
expect_exit 0 vm-patch scan --all --package dpkg --json
json 'sorted(m["name"] for v in d["versions"] for m in v["machines"]) == ["live", "web01"]'

title '--lag: packages and days behind, worst first'
expect_exit 3 vm-patch scan --all "${all_feeds[@]}" --lag --json
json 'd["machines"][0]["machine"]["name"] == "web01"'
json 'by["web01"]["lag"]["packages"] == 2 and by["web01"]["lag"]["vulnerabilities"] == 2 and by["web01"]["lag"]["exploited"] == 1'
json 'by["live"]["lag"]["packages"] == 0'
days=$((($(date +%s) - $(date -d 2026-09-01 +%s)) / 86400))
expect_exit 3 vm-patch scan -d web01 "${all_feeds[@]}" --lag
expect_text "$OUT" "^web01 .* $days +2 +2 +1"
expect_text "$OUT" "^web01 .* $days +2 +2 +1 +-$"

title '--lag: the worst snapshot that a machine can be reverted to, within its image or below it'
for name in inner outer; do
  copy "$(image qcow2 debian-12-outdated)" "$images/$name.qcow2"
  define $name </dev/null
done
qemu-img snapshot -c 'before the patch' "$images/inner.qcow2"
virsh snapshot-create-as outer below --disk-only --diskspec "vda,snapshot=external,file=$images/outer.now.qcow2" >/dev/null
for file in inner outer.now; do qemu-img convert -n -f qcow2 -O qcow2 "$(image qcow2 mini-debian)" "$images/$file.qcow2"; done
virsh snapshot-create-as inner latest >/dev/null
before=$(sha256sum "$images/inner.qcow2" "$images/outer.qcow2")
for round in fresh cached; do
  expect_exit 0 vm-patch scan -d inner -d outer "${all_feeds[@]}" --lag --json
  json 'by["inner"]["lag"]["packages"] == 0 and by["outer"]["lag"]["packages"] == 0 and d["unassessable"] == []'
  json '[(s["name"], s["kind"], s["lag"]["packages"]) for s in by["inner"]["snapshots"]] == [("before the patch", "internal", 2), ("latest", "internal", 0)]'
  json '[(s["name"], s["kind"], s["lag"]["packages"]) for s in by["outer"]["snapshots"]] == [("below", "external", 2)]'
  json 'by["inner"]["worst_snapshot"] == "before the patch" and by["outer"]["worst_snapshot"] == "below"'
done
expect_exit 0 vm-patch scan -d inner -d outer "${all_feeds[@]}" --lag
expect_text "$OUT" "^inner .* 0 +0 +0 +before the patch \([0-9-]+\): 2 packages, $days days$"
expect_text "$OUT" "^outer .* 0 +0 +0 +below \([0-9-]+\): 2 packages, $days days$"
expect_same 'the images' "$before" "$(sha256sum "$images/inner.qcow2" "$images/outer.qcow2")"
expect_exit 0 vm-patch scan -a "$images/inner.qcow2" --format qcow2 "${all_feeds[@]}" --lag
expect_text "$OUT" 'inner.qcow2 .* before the patch \([0-9-]+\): 2 packages'
expect_exit 0 vm-patch scan -d inner "${all_feeds[@]}" --lag --no-snapshots --json
json 'by["inner"]["has_snapshots"] and not by["inner"]["snapshots_assessed"] and "snapshots" not in by["inner"]'
expect_exit 2 vm-patch scan -d inner "${all_feeds[@]}" --no-snapshots

title '--snapshot: a machine as it would be after a revert'
expect_exit 3 vm-patch scan -d inner "${all_feeds[@]}" --snapshot 'before the patch'
expect_text "$OUT" '^inner at snapshot before the patch +[0-9.]+ critical +CVE-2026-10001'
expect_exit 0 vm-patch scan -d inner "${all_feeds[@]}" --snapshot latest --fail-on high
expect_exit 3 vm-patch scan -d outer "${all_feeds[@]}" --snapshot below
expect_exit 0 vm-patch inspect -d outer --snapshot below --packages
expect_text "$OUT" '^outer at snapshot below$'
expect_text "$OUT" 'openssl'
expect_exit 0 vm-patch inspect -d outer --json
json 'not any(p["name"] == "openssl" for p in by["outer"]["facts"]["packages"])'
expect_exit 0 vm-patch inspect -d outer --snapshot below --json
json 'd["machines"][0]["machine"]["snapshot"] == "below" and any(p["name"] == "openssl" for p in by["outer"]["facts"]["packages"])'
expect_exit 1 vm-patch inspect -d inner --snapshot 'befor'
expect_text "$ERR" 'inner at snapshot befor: there is no such snapshot; it has before the patch, latest'
expect_exit 4 vm-patch inspect -a "$images/broken.qcow2" --format qcow2 --snapshot latest
expect_text "$ERR" 'broken.qcow2 at snapshot latest: .*outside the file'
expect_exit 2 vm-patch inspect -d inner --snapshot ''
expect_exit 2 vm-patch scan -d inner "${all_feeds[@]}" --snapshot latest --lag

title '--lag: a snapshot whose image is gone is not assessed, and never good'
rm "$images/outer.qcow2"
copy "$(image qcow2 mini-debian)" "$images/outer.now.qcow2"
expect_exit 1 vm-patch scan -d outer "${all_feeds[@]}" --lag
expect_text "$OUT" '^outer .* 1 not assessed$'
expect_text "$OUT" '^not assessed: outer at snapshot below: .*outer.qcow2'
virsh snapshot-delete outer below --metadata
for name in inner outer; do virsh undefine $name --snapshots-metadata >/dev/null; done
rm -f "$images"/{inner,outer}*

title 'a folder of images: formats by their names, and no image twice'
expect_exit 3 vm-patch scan --folder "$images" "${all_feeds[@]}" --json
json 'sorted(by) == ["broken", "live", "web01"] and not by["broken"]["assessed"]'
expect_exit 3 vm-patch scan -d web01 --folder "$images" "${all_feeds[@]}" --json
json '[m["machine"]["name"] for m in d["machines"]][0] == "web01" and len(d["machines"]) == 3'

title '--orphans: images of the pools that nothing refers to'
expect_exit 1 vm-patch scan --orphans "${all_feeds[@]}"
expect_text "$OUT" '/pool/old.qcow2 +spare .*Debian GNU/Linux 12'
expect_text "$OUT" '/pool/notes.iso +spare .*not read: its name does not end in'
expect_text "$OUT" '^not assessed: .*/pool/notes.iso'
expect_exit 1 vm-patch scan --orphans --json
json 'len(d["orphans"]) == 2 and {o["system"] is None for o in d["orphans"]} == {True, False}'
json '[u["path"].rsplit("/", 1)[-1] for u in d["unassessable"]] == ["notes.iso"]'
rm "$WORK/pool/notes.iso"
virsh pool-refresh spare
expect_exit 0 vm-patch scan --orphans --json
json 'len(d["orphans"]) == 1 and d["unassessable"] == []'
expect_exit 2 vm-patch scan --orphans -d web01
expect_exit 1 vm-patch scan --orphans "${strange[@]}" --json
json 'not d["complete"] and d["unassessable"] == [] and len(d["incomplete_feeds"]) == 1'

title 'a running machine is not read, and not clean'
expect_exit 0 vm-patch gate install --program "$VMPATCH_GATE"
virsh start live
expect_exit 1 vm-patch scan -d live "${all_feeds[@]}"
expect_text "$OUT" '^not assessed: live is running, so that its disks are not read'
expect_exit 1 vm-patch scan -a "$images/live.qcow2" --format qcow2 "${all_feeds[@]}"
expect_text "$OUT" '^not assessed: .*/images/live.qcow2 .*shut'
expect_exit 3 vm-patch scan --all "${all_feeds[@]}" --json
json 'by["web01"]["assessed"] and not by["live"]["assessed"]'
virsh destroy live

title 'starts that the gate saw count as use, and keep a machine from the list of candidates for retirement'
expect_exit 3 vm-patch scan -d live "${all_feeds[@]}" --explain
expect_text "$OUT" 'use +[0-9.]+ of 5 +1\.0 starts a week, last 0 days ago'
expect_exit 0 vm-patch scan --all "${all_feeds[@]}" --retire 30 --json
json '[m["machine"]["name"] for m in d["machines"]] == ["web01"] and by["web01"]["last_start"] is None'
json 'by["web01"]["own_bytes"] > 100 << 20 and by["web01"]["lag"]["packages"] == 2'
expect_exit 0 vm-patch scan --all --retire 30
expect_text "$OUT" '^web01 +no trace'
expect_exit 0 vm-patch gate uninstall

title '--retire: a crashed machine is off, and one of which nothing is known is not left out'
{
  echo '<node>'
  for state in 1 5 6 0; do
    cat <<XML
<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>state$state</name><memory>65536</memory>
<os><type>hvm</type></os><devices><disk type='file'><driver type='qcow2'/><source file='$images/live.qcow2'/><target dev='vda'/></disk></devices>
<test:runstate>$state</test:runstate></domain>
XML
  done
  echo '</node>'
} >"$WORK/node.xml"
states() { "$VMPATCH" --state-dir "$WORK/state" --config "$WORK/vm-patch.yaml" -c "test://$WORK/node.xml" "$@"; }
expect_exit 0 states inventory --state unknown
expect_text "$OUT" '^state0 '
expect_exit 1 states scan --all --retire 30 --json
json 'sorted(by) == ["state5", "state6"]'
json '[u["machine"]["name"] for u in d["unassessable"]] == ["state0"]'
expect_exit 1 states scan --all --retire 30
expect_text "$OUT" '^not assessed: state0: its state is not known'
expect_text "$OUT" '^state6 .* crashed'

title 'a host that does not answer makes the answer incomplete'
expect_exit 1 vm-patch -c "qemu+unix:///system?socket=$WORK/nobody" scan --group nobody --package bash
expect_exit 1 vm-patch -c "qemu+unix:///system?socket=$WORK/nobody" scan --all --package bash
expect_text "$OUT" '^did not answer: qemu\+unix'

title 'one question at a time'
expect_exit 2 vm-patch scan --all --lag --orphans
expect_exit 2 vm-patch scan --all --lag --output-format sarif
echo 'all done'
