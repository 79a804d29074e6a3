#!/usr/bin/env python3
"""A machine's start, the start of a clone of its disk, two applies and a rollback, all at the same moment, on a real libvirtd with
real QEMUs: whatever runs sees a disk that nobody changes, and no two of them have the disk at the same time.
Usage: race.py [ROUNDS [SEED]]"""

import collections
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import stage as s

LIBVIRTD = os.path.join(os.environ["VMPATCH_SOURCE_DIR"], "tests/support/private-libvirtd.sh")
CLONE = s.UUID + "2"


def domain(name, uuid, disk, disk_format):
    return (f"<domain type='qemu'><name>{name}</name><uuid>{uuid}</uuid><memory unit='MiB'>32</memory><vcpu>1</vcpu>"
            "<os><type>hvm</type></os><on_poweroff>destroy</on_poweroff>"
            f"<devices><disk type='file' device='disk'><driver name='qemu' type='{disk_format}'/><source file='{disk}'/>"
            "<target dev='vda' bus='virtio'/></disk></devices></domain>")


class Host(s.Stage):
    """The machine is one of a libvirtd of our own; its clone's image lies where no inventory looks before it starts."""

    def __init__(self):
        self.libvirt = tempfile.mkdtemp(prefix="vmp-race.", dir="/tmp")
        self.uri = s.must(LIBVIRTD, "start", self.libvirt).strip().splitlines()[-1]
        super().__init__("raw")
        os.mkdir(self.path("clones"))
        self.clone = self.path("clones/clone.qcow2")
        s.must("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", self.disks[0].file, self.clone)
        with open(self.path("clone.xml"), "w", encoding="utf-8") as out:
            out.write(domain("clone", CLONE, self.clone, "qcow2"))

    def define(self, uuid=s.UUID + "1", name="web01", state=5):
        with open(self.path("machine.xml"), "w", encoding="utf-8") as out:
            out.write(domain(name, uuid, self.disks[0].file, "raw"))
        s.must("virsh", "-q", "-c", self.uri, "define", self.path("machine.xml"))
        self.name = name

    def command(self, *words):
        found = super().command(*words)
        found[found.index("-c") + 1] = self.uri
        return found

    def virsh(self, *words):
        return subprocess.run(["virsh", "-q", "-c", self.uri, *words], capture_output=True, text=True, check=False)

    def close(self):
        s.must(LIBVIRTD, "stop", self.libvirt)
        shutil.rmtree(self.libvirt)
        super().close()


class Round:
    def __init__(self, host, contents, dice):
        self.host, self.contents, self.dice = host, contents, dice
        self.gate = threading.Barrier(5)
        self.spans = []  # of machines: who had the disk, from, to
        self.torn = []

    def await_start(self, latest):
        """A start takes a moment, a run many: without this the machine would always win."""
        delay = self.dice.uniform(0, latest)
        self.gate.wait()
        time.sleep(delay)

    def program(self, who, *words):
        self.await_start(0.2)
        done = self.host.try_run(*words)
        if done.returncode not in (0, 4, 6):
            raise s.Failed(f"{who}: exit code {done.returncode}: {done.stdout}{done.stderr}")
        return who if done.returncode == 0 else None

    def machine(self, who, *start):
        """Its disk must be whole, and stay as it is as long as it runs."""
        self.await_start(1.2)
        if self.host.virsh(*start).returncode != 0:
            return None
        began = time.time()
        before = self.host.digests(in_use=True)
        time.sleep(0.7)
        after = self.host.digests(in_use=True)
        ended = time.time()
        done = self.host.virsh("destroy", who)
        if done.returncode != 0:
            raise s.Failed(f"{who} does not run any more: {done.stderr}")
        if before != after or before not in self.contents:
            self.torn.append(f"{who} ran on a changing disk: {before} then {after}")
        self.spans.append((who, began, ended))
        return who

    def run(self):
        host = self.host
        patch = ("apply", "-d", host.name, "-r", host.path("patch2.vmpatch"), "--yes")
        last = host.last_run("apply")["id"]
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            ends = [pool.submit(self.machine, host.name, "start", host.name),
                    pool.submit(self.machine, "clone", "create", host.path("clone.xml")),
                    pool.submit(self.program, "apply", *patch), pool.submit(self.program, "second apply", *patch),
                    pool.submit(self.program, "rollback", "rollback", last)]
        return [end.result() for end in ends if end.result()]

    def check(self, runs_before):
        if self.torn:
            raise s.Failed("; ".join(self.torn))
        if len(self.spans) == 2 and max(span[1] for span in self.spans) < min(span[2] for span in self.spans):
            raise s.Failed(f"two had the disk at the same time: {self.spans}")
        if self.host.digests() not in self.contents:
            raise s.Failed("the disk is neither of the contents that were written")
        runs = [run for run in self.host.runs() if run["id"] not in runs_before]
        unfinished = [run for run in runs if run["state"] not in ("attested", "discarded", "failed")]
        if unfinished:
            raise s.Failed(f"unfinished: {unfinished}")


def normalize(host, patched):
    """Back to where patch1 is in and its run can be rolled back."""
    last = host.last_run()
    if host.digests() != patched and last["state"] == "attested" and last["kind"] == "apply":
        host.rollback(run=last["id"])
    if host.digests() != patched:
        host.apply("patch1")
    s.expect("content before the next round", patched, host.digests())


def main():
    rounds, dice = s.how_many(few=6, many=100)
    winners = collections.Counter()
    with Host() as host:
        old = host.digests()
        host.apply("patch1")
        patched = host.digests()
        host.apply("patch2")
        newer = host.digests()
        for number in range(rounds):
            if host.digests() != patched:
                normalize(host, patched)
            runs_before = {run["id"] for run in host.runs()}
            one = Round(host, [old, patched, newer], dice)
            won = one.run()
            one.check(runs_before)
            if not won:
                raise s.Failed(f"round {number}: nobody won")
            winners[" and ".join(sorted(won))] += 1
            s.expect("second recover", "no interrupted run\n", host.run("recover"))
        host.run("audit", "verify")
    print(f"{rounds} rounds, 0 disks that changed under a running machine; who had it:")
    for who, count in winners.most_common():
        print(f"  {count:4} {who}")


if __name__ == "__main__":
    try:
        main()
    except s.Failed as failure:
        sys.exit(f"FAILED: {failure}")
