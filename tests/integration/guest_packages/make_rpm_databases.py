#!/usr/bin/env python3
"""make_rpm_databases.py OUT: a few packages, and a database of them in each format that rpm has had.

OUT/sqlite/rpmdb.sqlite  by rpm
OUT/wal/rpmdb.sqlite     the same, and its write-ahead log holds the removal of one package
OUT/bdb/Packages         by db5.3_load from the headers of the first; key 0 holds the highest number (rpm's lib/backend/db3.c)
OUT/ndb/Packages.db      written here from the same headers, each of them 90 times, so that two pages of slots are needed
OUT/endless/rpmdb.sqlite one whose table of packages is a query that never ends
OUT/NAME.txt             what `rpm -qa` says of sqlite, and of wal
"""
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import zlib

SPECS = {
    "alpha": "Version: 1.0\nRelease: 1\n",
    "beta": "Version: 2.0~rc1\nRelease: 3.el9\nEpoch: 1\n",
    "gamma-with-dashes": "Version: 3^git1\nRelease: 1\nBuildArch: noarch\nModularityLabel: gamma:3:20260101:abc\n",
    "delta": "Version: 7\nRelease: 1\nEpoch: 0\n",
    "gpg-pubkey": "Version: deadbeef\nRelease: 5e2d1c0b\nBuildArch: noarch\n",
}
SUBPACKAGES = {"beta": "libs", "gamma-with-dashes": "-n other-name"}
FORMAT = r"%{NAME}|%{EVR}|%{ARCH}|%{SOURCERPM}\n"


def run(*argv, **options):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options).stdout


def build(top):
    for name, version in SPECS.items():
        sub = SUBPACKAGES.get(name)
        spec = f"Name: {name}\n{version}Summary: test\nLicense: MIT\n%description\ntest\n%files\n"
        if sub:
            spec += f"%package {sub}\nSummary: part\nVersion: 9.9\n%description {sub}\npart\n%files {sub}\n"
        path = os.path.join(top, name + ".spec")
        with open(path, "w", encoding="utf-8") as file:
            file.write(spec)
        run("rpmbuild", "-bb", "--quiet", "--define", f"_topdir {top}", path)
    return [os.path.join(folder, file) for folder, _, files in os.walk(os.path.join(top, "RPMS")) for file in files]


def query(out, name):
    with open(f"{out}/{name}.txt", "w", encoding="utf-8") as file:
        file.write(run("rpm", "--dbpath", f"{out}/{name}", "-qa", "--qf", FORMAT))


def make_wal(out):
    """A process that dies leaves its log behind: the copy is taken while the connection is open."""
    shutil.copytree(f"{out}/sqlite", f"{out}/open")
    connection = sqlite3.connect(f"{out}/open/rpmdb.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    number = connection.execute("SELECT hnum FROM Name WHERE key = 'alpha'").fetchone()[0]
    connection.execute("DELETE FROM Packages WHERE hnum = ?", (number,))
    os.mkdir(f"{out}/wal")
    for end in ("", "-wal"):
        shutil.copy(f"{out}/open/rpmdb.sqlite{end}", f"{out}/wal/rpmdb.sqlite{end}")
    connection.close()


def make_endless(out):
    shutil.copytree(f"{out}/sqlite", f"{out}/endless")
    with sqlite3.connect(f"{out}/endless/rpmdb.sqlite") as connection:
        connection.execute("DROP TABLE Packages")
        connection.execute("CREATE VIEW Packages AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
                           "SELECT x AS hnum, zeroblob(1) AS blob FROM c WHERE x < 0")


def make_bdb(headers, path):
    entries = [(0, struct.pack("<I", len(headers)))] + list(enumerate(headers, 1))
    lines = ["VERSION=3", "format=bytevalue", "type=hash", "HEADER=END"]
    for number, value in entries:
        lines += [" " + struct.pack("<I", number).hex(), " " + value.hex()]
    run("db5.3_load", path, input="\n".join(lines + ["DATA=END", ""]))


def make_ndb(headers, path):
    pages = (len(headers) + 2 + 255) // 256
    block = pages * 256
    slots, blobs = b"", b""
    for number, header in enumerate(headers, 1):
        blocks = (16 + len(header) + 12 + 15) // 16
        body = b"BlbS" + struct.pack("<III", number, 0, len(header)) + header
        body += bytes(blocks * 16 - len(body) - 12)
        blobs += body + struct.pack("<II", zlib.adler32(body), len(header)) + b"BlbE"
        slots += b"Slot" + struct.pack("<III", number, block, blocks)
        block += blocks
    slots += (b"Slot" + bytes(12)) * (pages * 256 - 2 - len(headers))
    with open(path, "wb") as file:
        file.write(b"RpmP" + struct.pack("<IIII", 0, 1, pages, len(headers) + 1) + bytes(12) + slots + blobs)


def main():
    out = sys.argv[1]
    for name in ("top", "sqlite", "bdb", "ndb"):
        os.makedirs(f"{out}/{name}")
    packages = build(f"{out}/top")
    run("rpm", "--dbpath", f"{out}/sqlite", "--define", "_db_backend sqlite", "--justdb", "--nodeps", "-i", *packages)
    query(out, "sqlite")
    make_wal(out)
    make_endless(out)
    with sqlite3.connect(f"{out}/sqlite/rpmdb.sqlite") as connection:
        headers = [row[0] for row in connection.execute("SELECT blob FROM Packages ORDER BY hnum")]
    make_bdb(headers, f"{out}/bdb/Packages")
    make_ndb(headers * 90, f"{out}/ndb/Packages.db")
    shutil.copytree(f"{out}/wal", f"{out}/asked")  # asking merges the log
    with open(f"{out}/wal.txt", "w", encoding="utf-8") as file:
        file.write(run("rpm", "--dbpath", f"{out}/asked", "-qa", "--qf", FORMAT))


main()
