#!/usr/bin/env python3
"""Kills at random moments of the commit, of apply and rollback, on every kind of machine; the recovery is killed, too; and in a third
of the cases a machine runs and writes between the kill and the recovery. Counts what must be zero, and requires what must have happened.
Usage: sweep.py [POINTS [SEED]]"""

import collections
import sys

import stage as s


class Point:
    """`part` of three: a machine writes between kill and recovery; the recovery is killed for certain; anything. `aimed`: what the machine
    writes is a block that the run writes, too, so that only a quarantine is right."""

    def __init__(self, stage, dice, part, aimed):
        self.stage, self.dice, self.part, self.aimed = stage, dice, part, aimed
        self.counts = collections.Counter()

    def moment(self):
        """Of a kill: at a write, some time after one, or at the edge of the commit."""
        disk = self.dice.choice(self.stage.disks)
        after = str(self.dice.choice([0, 0, 1, 2, 4, 8, 16, 32, 64]))
        at = self.dice.choice(["during:write"] * 6 + ["during:committing", "after:committing", "before:committing", "after:committed"])
        return {"VMPATCH_CRASH_AT": at, "VMPATCH_CRASH_AFTER_MS": after, "VMPATCH_CRASH_FILE": disk.file}

    def moment_of_a_commit(self):
        """Of a kill that leaves a commit to be ended, wherever it hits."""
        return {**self.moment(), "VMPATCH_CRASH_AT": self.dice.choice(["during:write"] * 3 + ["after:committing"]),
                "VMPATCH_CRASH_FILE": self.stage.disks[0].file}

    def kill_run(self, verb):
        moment = self.moment_of_a_commit() if self.aimed or self.part == 1 else self.moment()
        if verb == "apply":
            self.stage.apply(code=-9, **moment)
        else:
            self.stage.rollback(code=-9, **moment)

    def guest_write(self):
        """One block of a pattern that neither content has. The QEMU of the killed process may have the disk for a moment."""
        disk = self.stage.disks[0] if self.aimed else self.dice.choice(self.stage.disks)
        first, last = (s.ROOM, s.ROOM + (self.stage.ballast << 20)) if self.aimed else (0, disk.mib << 20)
        offset = self.dice.randrange(first, last - 65536, 4096)
        length = self.dice.choice([512, 4096, 65536])
        for _ in range(100):
            if self.stage.guest_writes(disk, 0x5A, offset, length):
                self.counts["with a write in between"] += 1
                return disk, offset, length
            s.time.sleep(0.1)
        raise s.Failed(f"the machine could not write {disk.path}")

    def moment_of_a_commit_done_again(self):
        return {**self.moment(), "VMPATCH_CRASH_AT": "during:write", "VMPATCH_CRASH_FILE": self.stage.disks[0].file}

    def kept(self, write):
        disk, offset, length = write
        done = s.subprocess.run(["qemu-io", "-r", "-f", disk.format, "-c", f"read -P 90 {offset} {length}", disk.path],
                                capture_output=True, text=True, check=False)
        return done.returncode == 0 and "Pattern verification failed" not in done.stdout

    def recover(self):
        if self.part == 1:
            self.stage.run("recover", code=-9, **self.moment_of_a_commit_done_again())
            self.counts["recovery killed for certain"] += 1
        for _ in range(self.dice.choice([0, 0, 1, 2])):
            done = self.stage.try_run("recover", **self.moment())
            self.counts["recovery killed by chance"] += done.returncode == -9
        return self.stage.run("recover", code=(0, 7))

    def check(self, old, new, write):
        now = self.stage.digests()
        if now not in (old, new):
            self.counts["torn before the recovery"] += 1
        runs_before = len(self.stage.runs())
        said = self.recover()
        after = self.stage.digests()
        state = self.stage.last_run()["state"]
        self.counts[state] += 1
        if len(self.stage.runs()) != runs_before:
            self.counts["LEDGER ROWS LOST"] += 1
        if write and not self.kept(write):
            self.counts["GUEST WRITES LOST"] += 1
        if state == "quarantined":
            if not write:
                self.counts["QUARANTINED WITHOUT A WRITE"] += 1
            if after != now:
                self.counts["TOUCHED THOUGH QUARANTINED"] += 1
        elif self.aimed:
            self.counts["A WRITE AMONG THE RUN'S BLOCKS NOT SEEN"] += 1
        elif not write and after != (new if state == "attested" else old):
            self.counts["NEITHER OLD NOR NEW"] += 1
        again = self.stage.run("recover", code=(0, 7))
        if self.stage.digests() != after or (state != "quarantined" and again != "no interrupted run\n"):
            self.counts["SECOND RECOVERY DID SOMETHING"] += 1
        self.stage.run("audit", "verify")
        self.stage.sound()
        return said


def main():
    points, dice = s.how_many(few=20, many=600)
    total = collections.Counter()
    stages = {}
    try:
        for number in range(points):
            kind, verb = s.KINDS[number % len(s.KINDS)], ("apply", "rollback")[(number // len(s.KINDS)) % 2]
            if (kind, verb) not in stages:
                stage = s.Stage(kind)
                pristine = stage.digests()
                if verb == "apply":
                    stage.keep()
                stage.apply()
                patched = stage.digests()
                if verb == "apply":
                    stage.put_back()
                else:
                    stage.keep()
                stages[kind, verb] = (stage, pristine, patched)
            stage, pristine, patched = stages[kind, verb]
            stage.put_back()
            point = Point(stage, dice, part=number % 3, aimed=number % 6 == 0)
            point.kill_run(verb)
            write = point.guest_write() if point.part == 0 else None
            point.check(*((pristine, patched) if verb == "apply" else (patched, pristine)), write)
            total.update(point.counts)
            bad = [name for name in point.counts if name.isupper()]
            if bad:
                print(f"point {number}: {verb} on {kind}: {', '.join(bad)}; left in {stage.work}", flush=True)
                stages.pop((kind, verb))
    finally:
        for stage, _, _ in stages.values():
            stage.close()
    for name, count in sorted(total.items()):
        print(f"  {name}: {count}")
    if any(name.isupper() for name in total):
        sys.exit("FAILED")
    require(total, points)


def require(total, points):
    """What did not happen proves nothing."""
    least = {"torn before the recovery": 1, "with a write in between": (points + 2) // 3, "quarantined": (points + 5) // 6,
             "recovery killed for certain": (points + 1) // 3, "attested": 1 if points > 2 else 0}
    missing = [f"{name}: {total[name]} of at least {count}" for name, count in least.items() if total[name] < count]
    if missing:
        sys.exit("FAILED: this proves nothing: " + "; ".join(missing))


if __name__ == "__main__":
    try:
        main()
    except s.Failed as failure:
        sys.exit(f"FAILED: {failure}")
