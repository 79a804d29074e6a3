#!/usr/bin/env python3
"""Kills at random moments of the commit, of apply and rollback, on every kind of machine; the recovery is killed, too; and in a third
of the cases a machine runs and writes between the kill and the recovery. Counts what must be zero. Usage: sweep.py [POINTS [SEED]]"""

import collections
import sys

import stage as s


class Point:
    def __init__(self, stage, dice):
        self.stage, self.dice = stage, dice
        self.counts = collections.Counter()

    def moment(self):
        """Of a kill: at a write, some time after one, or at the edge of the commit."""
        disk = self.dice.choice(self.stage.disks)
        after = str(self.dice.choice([0, 0, 1, 2, 4, 8, 16, 32, 64]))
        at = self.dice.choice(["during:write"] * 6 + ["during:committing", "after:committing", "before:committing", "after:committed"])
        return {"VMPATCH_CRASH_AT": at, "VMPATCH_CRASH_AFTER_MS": after, "VMPATCH_CRASH_FILE": disk.file}

    def kill_run(self, verb):
        if verb == "apply":
            self.stage.apply(code=-9, **self.moment())
        else:
            self.stage.rollback(code=-9, **self.moment())

    def guest_write(self):
        """One block of a pattern that neither content has; None: the machine could not be started."""
        disk = self.dice.choice(self.stage.disks)
        offset = self.dice.randrange(0, (disk.mib << 20) - 65536, 4096)
        length = self.dice.choice([512, 4096, 65536])
        return (disk, offset, length) if self.stage.guest_writes(disk, 0x5A, offset, length) else None

    def kept(self, write):
        disk, offset, length = write
        done = s.subprocess.run(["qemu-io", "-r", "-f", disk.format, "-c", f"read -P 90 {offset} {length}", disk.path],
                                capture_output=True, text=True, check=False)
        return done.returncode == 0 and "Pattern verification failed" not in done.stdout

    def recover(self):
        for _ in range(self.dice.choice([0, 0, 1, 2])):
            done = self.stage.try_run("recover", **self.moment())
            self.counts["recovery killed"] += done.returncode == -9
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
            point = Point(stage, dice)
            point.kill_run(verb)
            write = point.guest_write() if number % 3 == 0 else None
            point.counts["with a write in between"] += write is not None
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
    if not total["torn before the recovery"]:
        sys.exit("FAILED: no kill hit the middle of a commit; this proves nothing")


if __name__ == "__main__":
    try:
        main()
    except s.Failed as failure:
        sys.exit(f"FAILED: {failure}")
