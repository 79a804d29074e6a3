#!/usr/bin/env python3
"""A machine's start, the start of a clone of its disk, two applies and a rollback, all at the same moment, on a real libvirtd with
real QEMUs: whatever runs sees a disk that nobody changes, and no two of them have the disk at the same time. On a raw file without a hook,
and on a block device with libvirt's default namespaces and the hook. Each contender must have had the disk at least once.
Usage: race.py [ROUNDS [SEED]]"""

import collections
import concurrent.futures
import contextlib
import itertools
import json
import os
import sqlite3
import sys
import threading
import time

import libvirt_host
import stage as s

CLONE = s.UUID + "2"
CONTENDERS = ("web01", "clone", "apply or rollback")


class Host(libvirt_host.Host):
    """The clone's image lies where no inventory looks before it starts. A raw file is protected by QEMU's locks alone. A block device, with
    libvirt's default of a /dev for each QEMU, by the hook."""

    def __init__(self, kind):
        super().__init__(kind, own_dev=kind == "device")
        os.mkdir(self.path("clones"))
        self.clone = self.path("clones/clone.qcow2")
        s.must("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", self.disks[0].path, self.clone)
        with open(self.path("clone.xml"), "w", encoding="utf-8") as out:
            out.write(libvirt_host.domain("clone", CLONE, self.clone, "qcow2"))
        if kind == "device":
            self.guard()


    def last_written(self):
        """The newest apply that wrote the disk itself."""
        return next(run for run in self.runs() if run["kind"] == "apply" and run["state"] == "attested" and not is_published(run))

    def back_to_one_file(self):
        """An apply that found the clone standing on the disk has published: the machine gets its own file back."""
        for run in self.runs():
            moved = [disk for disk in (run["report"] or {}).get("published", []) if os.path.exists(disk["to"])]
            if run["kind"] == "apply" and run["state"] == "attested" and moved:
                self.rollback(run=run["id"])
                for disk in moved:
                    os.unlink(disk["to"])


def is_published(run):
    return bool((run["report"] or {}).get("published"))


class Round:
    """`first`: of CONTENDERS, the one that the others wait for."""

    def __init__(self, host, contents, dice, first=None):
        self.host, self.contents, self.dice, self.first = host, contents, dice, first
        self.gate = threading.Barrier(5)
        self.spans = []  # of machines: who had the disk, from, to
        self.torn = []

    def await_start(self, who, latest):
        """A start takes a moment, a run many: without this the machine would always win."""
        delay = self.dice.uniform(0, latest) if self.first is None else 0 if self.first == who else 4
        self.gate.wait()
        time.sleep(delay)

    def program(self, who, *words):
        self.await_start("apply or rollback", 0.2)
        done = self.host.try_run(*words)
        if done.returncode not in (0, 4, 6):
            raise s.Failed(f"{who}: exit code {done.returncode}: {done.stdout}{done.stderr}")
        return who if done.returncode == 0 else None

    def machine(self, who, *start):
        """Its disk must be whole, and stay as it is as long as it runs."""
        self.await_start(who, 1.2)
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
        last = host.last_written()["id"]
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            ends = [pool.submit(self.machine, host.name, "start", host.name),
                    pool.submit(self.machine, "clone", "create", host.path("clone.xml")),
                    pool.submit(self.program, "apply", *patch), pool.submit(self.program, "second apply", *patch),
                    pool.submit(self.program, "rollback", "rollback", last)]
        return [end.result() for end in ends if end.result()]

    def check(self, runs_before):
        if self.torn:
            raise s.Failed("; ".join(self.torn))
        if self.host.digests() not in self.contents:
            raise s.Failed("the disk is neither of the contents that were written")
        runs = [run for run in self.host.runs() if run["id"] not in runs_before]
        # What was published was written into no disk of a machine.
        self.check_order([run for run in runs if run["state"] == "attested" and not is_published(run)])
        unfinished = [run for run in runs if run["state"] not in ("attested", "discarded", "failed")]
        if unfinished:
            raise s.Failed(f"unfinished: {unfinished}")


    def check_order(self, runs):
        """One after the other: no run wrote while another one did, or while a machine had the disk."""
        with contextlib.closing(sqlite3.connect(f"file:{self.host.state}/ledger.sqlite?mode=ro", uri=True)) as ledger:
            rows = {row[0]: row[1:] for row in ledger.execute("SELECT id, detail, updated FROM runs")}
        wrote = [(run["kind"], json.loads(rows[run["id"]][0])["committing_since"] / 1e9, rows[run["id"]][1] / 1e9) for run in runs]
        # Two machines on one device are libvirt's matter: no lock keeps them apart there.
        for one, other in itertools.combinations(wrote + self.spans, 2):
            of_machines = one in self.spans and other in self.spans
            if max(one[1], other[1]) < min(one[2], other[2]) and not (of_machines and self.host.kind == "device"):
                raise s.Failed(f"two had the disk at the same time: {one} and {other}")


def normalize(host, patched):
    """Back to where patch1 is in and its run can be rolled back."""
    last = next(run for run in host.runs() if not is_published(run))
    if host.digests() != patched and last["state"] == "attested" and last["kind"] == "apply":
        host.rollback(run=last["id"])
    if host.digests() != patched:
        host.apply("patch1")
    s.expect("content before the next round", patched, host.digests())


def race(kind, rounds, dice):
    winners = collections.Counter()
    won_by = collections.Counter()
    with Host(kind) as host:
        old = host.digests()
        host.apply("patch1")
        patched = host.digests()
        host.apply("patch2")
        newer = host.digests()

        def play(first=None):
            if host.digests() != patched:
                normalize(host, patched)
            runs_before = {run["id"] for run in host.runs()}
            one = Round(host, [old, patched, newer], dice, first)
            won = one.run()
            one.check(runs_before)
            host.back_to_one_file()
            # Each of two may see the other try, and both give up: nothing is lost by that, but it must not be the rule.
            winners[" and ".join(sorted(won)) or "nobody"] += 1
            won_by.update({who if who in CONTENDERS else CONTENDERS[2] for who in won})
            s.expect("second recover", "no interrupted run\n", host.run("recover"))

        for _ in range(rounds):
            play()
        # Whom chance gave nothing gets the disk: what never had it proves nothing.
        for who in CONTENDERS:
            if not won_by[who]:
                play(first=who)
            if not won_by[who]:
                raise s.Failed(f"{who} never had the disk on {kind}; this proves nothing")
        if winners["nobody"] * 3 > sum(winners.values()):
            raise s.Failed(f"nobody had the disk on {kind} in {winners['nobody']} of {sum(winners.values())} rounds")
        host.run("audit", "verify")
    return winners


def main():
    rounds, dice = s.how_many(few=6, many=100)
    for kind in ("raw", "device"):
        winners = race(kind, (rounds + 1) // 2, dice)
        print(f"{kind}: {sum(winners.values())} rounds, 0 disks that changed under a running machine; who had it:")
        for who, count in winners.most_common():
            print(f"  {count:4} {who}")


if __name__ == "__main__":
    try:
        main()
    except s.Failed as failure:
        sys.exit(f"FAILED: {failure}")
