#!/usr/bin/env python3
"""What a way back costs: rollback, the redo of a killed commit, and its way back to old, of the same change in a small and in a large
image; and what a user would take instead, a whole copy put back. Usage: way_back.py BUILD [ROUNDS]"""

import os
import statistics
import subprocess
import sys
import time

BUILD = os.path.abspath(sys.argv[1])
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
os.environ["VMPATCH_CRASH"] = os.path.join(BUILD, "tests/crash/vm-patch-crash")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../crash"))
import stage as s  # noqa: E402

CHANGE, DATA = 40, 1500  # MiB


def took(work, *arguments, **more):
    began = time.monotonic()
    work(*arguments, **more)
    return time.monotonic() - began


def copied(source, target):
    """As durable as what it is compared with."""
    subprocess.run(["cp", "--sparse=always", "--reflink=never", source, target], check=True)
    subprocess.run(["sync", target], check=True)


def measure(kind, gib):
    times = {name: [] for name in ("apply", "rollback", "redo", "way back to old", "a copy put back")}
    with s.Stage(kind, mib=gib << 10, ballast=CHANGE, data=DATA) as stage:
        image = stage.disks[0].file
        copied(image, stage.path("backup"))
        for number in range(ROUNDS + 1):  # the first warms up
            now = {"apply": took(stage.apply), "rollback": took(stage.rollback)}
            stage.apply(code=-9, VMPATCH_CRASH_AT="after:committing")
            now["redo"] = took(stage.run, "recover")
            stage.rollback()
            stage.apply(code=-9, VMPATCH_CRASH_AT="before:committed")
            now["way back to old"] = took(stage.run, "recover", stage.last_run()["id"], "--to", "old", "--yes")
            now["a copy put back"] = took(copied, stage.path("backup"), stage.path("restored"))
            if number:
                for name, value in now.items():
                    times[name].append(value)
    for name, values in times.items():
        print(f"| {kind} | {gib} GiB | {name} | {statistics.median(values):.2f} s | {min(values):.2f} to {max(values):.2f} |", flush=True)


if __name__ == "__main__":
    print(f"change {CHANGE} MiB, data {DATA} MiB, {ROUNDS} rounds\n| image | size | what | median | all |\n| --- | --- | --- | --- | --- |")
    for kind in ("raw", "qcow2"):
        for gib in (2, 40):
            measure(kind, gib)
