#!/usr/bin/env python3
"""Small feeds in the real formats, about packages that a guest really has.

    scan_feeds.py STATUS OUT     STATUS: the guest's /var/lib/dpkg/status; OUT: folder for tracker.json, osv.json, vex.json, kev.json, epss.csv

CVE-2026-10001 openssl  affected, fix available; exploited by ransomware, EPSS 93 %   tracker, kev, epss
CVE-2026-10002 openssl  the installed version holds the fix                           tracker
CVE-2026-10003 bash     affected, no fix; EPSS 0.04 %                                 tracker, epss
CVE-2026-10004 systemd  under investigation                                           tracker
CVE-2026-10005 nowhere  of a package that no guest has                                tracker
CVE-2026-10006 curl     affected, fix available, CVSS 9.8                             osv (DSA-9001-1)
CVE-2026-10007 openssh  withdrawn                                                     osv (DSA-9002-1)
CVE-2026-10008 openssh  affected by osv (DSA-9003-1), not affected by vex
"""
import json
import pathlib
import sys

VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"  # 9.8


def source_versions(status):
    versions = {}
    for stanza in pathlib.Path(status).read_text(encoding="utf-8").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and not line.startswith(" "))
        if "Package" not in fields:
            continue
        source = fields.get("Source", "").split()
        versions[fields["Package"]] = source[1].strip("()") if len(source) > 1 else fields["Version"]
    return versions


def tracker(status, fixed=None, urgency="not yet assigned"):
    release = {"status": status, "repositories": {"bookworm": "0"}, "urgency": urgency}
    if fixed:
        release["fixed_version"] = fixed
    return {"description": "=Something is wrong", "scope": "remote", "releases": {"bookworm": release}}


def osv(name, package, fixed, cve, **more):
    affected = {"package": {"ecosystem": "Debian:12", "name": package, "purl": "pkg:deb/debian/" + package},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}]}
    return {"schema_version": "1.6.0", "id": name, "modified": "2026-10-01T00:00:00Z", "published": "2026-09-01T00:00:00Z",
            "upstream": [cve], "summary": package + " security update", "severity": [{"type": "CVSS_V3", "score": VECTOR}],
            "affected": [affected], **more}


def vex(package, version, cve):
    date = "2026-10-03T00:00:00Z"
    product = {"name": package + " on Debian 12", "product_id": "P1", "product_identification_helper": {
        "purl": f"pkg:deb/debian/{package}@{version}?arch=source&distro=debian-12"}}
    return {"document": {"category": "csaf_vex", "csaf_version": "2.0", "title": package + " is not affected",
                         "publisher": {"category": "vendor", "name": "Example", "namespace": "https://example.org"},
                         "tracking": {"id": "EX-1", "status": "final", "version": "1", "initial_release_date": date,
                                      "current_release_date": date,
                                      "revision_history": [{"date": date, "number": "1", "summary": "first"}]}},
            "product_tree": {"branches": [{"category": "product_version", "name": version, "product": product}]},
            "vulnerabilities": [{"cve": cve, "product_status": {"known_not_affected": ["P1"]},
                                 "flags": [{"label": "vulnerable_code_not_present", "product_ids": ["P1"]}]}]}


def kev(cve):
    return {"title": "CISA Catalog of Known Exploited Vulnerabilities", "catalogVersion": "2026.11.20",
            "dateReleased": "2026-11-20T10:00:00.000Z", "count": 1,
            "vulnerabilities": [{"cveID": cve, "vendorProject": "OpenSSL", "product": "OpenSSL", "vulnerabilityName": "x",
                                 "dateAdded": "2026-11-01", "shortDescription": "x", "requiredAction": "x",
                                 "dueDate": "2026-11-20", "knownRansomwareCampaignUse": "Known", "notes": ""}]}


def main():
    has = source_versions(sys.argv[1])
    out = pathlib.Path(sys.argv[2])
    out.mkdir(exist_ok=True)

    def newer(package):
        return has[package] + "+deb12u99"

    feeds = {
        "tracker.json": {"openssl": {"CVE-2026-10001": tracker("resolved", newer("openssl"), "high"),
                                     "CVE-2026-10002": tracker("resolved", has["openssl"])},
                         "bash": {"CVE-2026-10003": tracker("open")},
                         "systemd": {"CVE-2026-10004": tracker("undetermined")},
                         "nowhere": {"CVE-2026-10005": tracker("resolved", "2.0")}},
        "osv.json": [osv("DSA-9001-1", "curl", newer("curl"), "CVE-2026-10006"),
                     osv("DSA-9002-1", "openssh", newer("openssh-server"), "CVE-2026-10007", withdrawn="2026-10-02T00:00:00Z"),
                     osv("DSA-9003-1", "openssh", newer("openssh-server"), "CVE-2026-10008")],
        "vex.json": vex("openssh", has["openssh-server"], "CVE-2026-10008"),
        "kev.json": kev("CVE-2026-10001"),
    }
    for name, content in feeds.items():
        (out / name).write_text(json.dumps(content), encoding="utf-8")
    (out / "epss.csv").write_text("#model_version:v2025.03.14,score_date:2026-11-20T12:55:00Z\ncve,epss,percentile\n"
                                  "CVE-2026-10001,0.93210,0.99700\nCVE-2026-10003,0.00042,0.10000\n", encoding="utf-8")


if __name__ == "__main__":
    main()
