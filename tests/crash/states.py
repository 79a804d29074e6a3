#!/usr/bin/env python3
"""Every state of a run × {kill, error} × {before, after}, for apply and for rollback, as a table; and recover killed at its own
transitions, or by an error on its way back. Usage: states.py [KIND ...]: every row on each of these kinds. Without one each row takes the
next kind of machine; with VMPATCH_LONG every row is done on all kinds."""

import itertools
import os
import sys

import stage as s

# What the command leaves, and what is there after `recover`: the disk is the one from before ("old") or the one that the run writes
# ("new"), and the run is in that state. "none": there is no run.
#   when     state        killed: content, run              error: exit code, content, run at once, content and run after recover
TABLE = [
    ("before", "planned",    "old", "none",                   1, "old", "none",       "old", "none"),
    ("after",  "planned",    "old", "discarded",              1, "old", "failed",     "old", "failed"),
    ("before", "leased",     "old", "discarded",              1, "old", "failed",     "old", "failed"),
    ("after",  "leased",     "old", "discarded",              1, "old", "failed",     "old", "failed"),
    ("before", "staged",     "old", "discarded",              1, "old", "failed",     "old", "failed"),
    ("after",  "staged",     "old", "discarded",              1, "old", "failed",     "old", "failed"),
    ("before", "patched",    "old", "discarded",              1, "old", "failed",     "old", "failed"),
    ("after",  "patched",    "old", "discarded",              1, "old", "failed",     "old", "failed"),
    ("before", "verified",   "old", "discarded",              1, "old", "failed",     "old", "failed"),
    ("after",  "verified",   "old", "discarded",              1, "old", "failed",     "old", "failed"),
    ("before", "committing", "old", "discarded",              1, "old", "failed",     "old", "failed"),
    # A commit that fails is taken back at once; one that is killed is ended.
    ("after",  "committing", "new", "attested",               1, "old", "failed",     "old", "failed"),
    ("before", "committed",  "new", "attested",               1, "old", "failed",     "old", "failed"),
    ("after",  "committed",  "new", "attested",               7, "new", "committed",  "new", "attested"),
    ("before", "attested",   "new", "attested",               7, "new", "committed",  "new", "attested"),
    # It has ended well.
    ("after",  "attested",   "new", "attested",               0, "new", "attested",   "new", "attested"),
]
# Left by a process that was killed there; `recover` is killed at that point; then recover ends it.
RECOVER = [
    ("after:verified",   "before:discarded",  "old", "discarded"),
    ("after:verified",   "after:discarded",   "old", "discarded"),
    ("after:committing", "before:committed",  "new", "attested"),
    ("after:committing", "after:committed",   "new", "attested"),
    ("after:committing", "before:attested",   "new", "attested"),
    ("after:committing", "after:attested",    "new", "attested"),
    ("after:committed",  "before:attested",   "new", "attested"),
]
# An error there; the process is killed on its way back from it; then recover ends it.
WAY_BACK = [
    ("before:patched",    "before:failed",     "old", "discarded"),
    ("before:patched",    "after:failed",      "old", "failed"),
    # Nothing is written at this point, so nothing is put back.
    ("after:committing",  "before:failed",     "new", "attested"),
    ("after:committing",  "after:failed",      "old", "failed"),
    # Everything is written. Until the direction is recorded, the way is to new.
    ("during:committing", "before:committing", "new", "attested"),
    ("during:committing", "after:committing",  "old", "discarded"),
    ("during:committing", "during:committing", "old", "discarded"),
    ("during:committing", "before:failed",     "old", "discarded"),
    ("during:committing", "after:failed",      "old", "failed"),
]


class Case:
    """A verb on a stage that stands ready for it; the contents that its run may leave."""

    def __init__(self, stage, verb):
        self.stage, self.verb = stage, verb
        if verb == "apply":
            self.old, self.new = stage.pristine, stage.patched
        else:
            self.old, self.new = stage.patched, stage.pristine

    def act(self, code, **extra):
        if self.verb == "apply":
            return self.stage.apply(code=code, **extra)
        return self.stage.rollback(code=code, **extra)

    def expect(self, content, run):
        s.expect("content of the disks", {"old": self.old, "new": self.new}[content], self.stage.digests())
        last = self.stage.last_run()
        state = last["state"] if last["kind"] == self.verb and last["id"] not in self.stage.earlier else "none"
        s.expect("state of the run", run, state)

    def recovered(self, content, run):
        self.stage.run("recover")
        self.expect(content, run)
        self.stage.sound()
        self.stage.nothing_left()
        again = self.stage.run("recover")
        s.expect("a second recover", "no interrupted run\n", again)
        self.stage.run("audit", "verify")
        self.kept()

    def quarantined(self, point):
        used = written_by_its_machine(self.stage)
        self.stage.run("recover", code=-9, VMPATCH_CRASH_AT=point)
        for _ in range(2):
            self.stage.run("recover", code=7)
            s.expect("content of a quarantined disk", used, self.stage.digests())
            s.expect("state of the run", "quarantined", self.stage.last_run()["state"])
        self.stage.run("audit", "verify")
        self.stage.run("recover", self.stage.last_run()["id"], "--to", "old", "--yes")
        self.expect("old", "discarded")

    def kept(self):
        # What is kept can be gone back to, and nothing else is kept.
        kept = sorted(r["id"] for r in self.stage.runs() if r.get("undo") == "kept")
        s.expect("undo folders", kept, self.stage.undo_folders())


def written_by_its_machine(stage):
    for _ in range(100):
        if stage.guest_writes(stage.disks[0], 0x5A, s.ROOM + (1 << 20), 65536):
            return stage.digests()
        s.time.sleep(0.1)
    raise s.Failed("the machine could not write")


class Stages:
    """One stage a kind, put back before each row: to before the patch, or to after it."""

    def __init__(self, kinds):
        self.turn = itertools.cycle(kinds)
        self.ready = {}

    def case(self, verb):
        kind = next(self.turn)
        if (kind, verb) not in self.ready:
            stage = s.Stage(kind)
            stage.pristine = stage.digests()
            stage.earlier = set()
            if verb == "apply":
                # What the patch makes of it, seen on the same disks.
                stage.keep()
                stage.apply()
                stage.patched = stage.digests()
                stage.put_back()
            else:
                stage.apply()
                stage.patched = stage.digests()
                stage.earlier = {run["id"] for run in stage.runs()}
            if stage.pristine == stage.patched:
                raise s.Failed("the patch changes nothing; the table proves nothing")
            stage.keep()
            self.ready[kind, verb] = stage
        stage = self.ready[kind, verb]
        stage.put_back()
        return Case(stage, verb)

    def close(self):
        for stage in self.ready.values():
            stage.close()


def rows(stages):
    for verb in ("apply", "rollback"):
        for when, state, content, run, code, at_once, run_at_once, later, run_later in TABLE:
            point = f"{when}:{state}"
            case = stages.case(verb)
            yield f"{verb} on {case.stage.kind} killed {point}: {content}, {run}"
            case.act(-9, VMPATCH_CRASH_AT=point)
            case.recovered(content, run)
            case = stages.case(verb)
            yield f"{verb} on {case.stage.kind} with an error {point}: {at_once}, {run_at_once}"
            case.act(code, VMPATCH_ERROR_AT=point)
            case.expect(at_once, run_at_once)
            case.recovered(later, run_later)
        for left, point, content, run in RECOVER:
            case = stages.case(verb)
            yield f"{verb} on {case.stage.kind} killed {left}, recover killed {point}: {content}, {run}"
            case.act(-9, VMPATCH_CRASH_AT=left)
            case.stage.run("recover", code=-9, VMPATCH_CRASH_AT=point)
            case.recovered(content, run)
        for error, point, content, run in WAY_BACK:
            case = stages.case(verb)
            yield f"{verb} on {case.stage.kind} with an error {error}, killed {point} on the way back: {content}, {run}"
            case.act(-9, VMPATCH_ERROR_AT=error, VMPATCH_CRASH_AT=point, VMPATCH_CRASH_AFTER_ERROR="1", VMPATCH_CRASH_AFTER_MS="5")
            case.recovered(content, run)
        for point in ("before:quarantined", "after:quarantined"):
            case = stages.case(verb)
            yield f"{verb} on {case.stage.kind} killed after:committing, written by its machine, recover killed {point}: quarantined"
            case.act(-9, VMPATCH_CRASH_AT="after:committing")
            case.quarantined(point)


def all_rows(kinds):
    stages = Stages(kinds)
    count = 0
    try:
        for title in rows(stages):
            count += 1
            print(f"row {count}: {title}", flush=True)
    finally:
        stages.close()
    return count


def main():
    if sys.argv[1:] or os.environ.get("VMPATCH_LONG"):
        groups = [[kind] for kind in sys.argv[1:] or s.KINDS]
    else:
        groups = [s.KINDS]
    count = sum(all_rows(group) for group in groups)
    expected = len(groups) * 2 * (2 * len(TABLE) + len(RECOVER) + len(WAY_BACK) + 2)
    s.expect("rows", expected, count)
    print(f"{count} rows")


if __name__ == "__main__":
    try:
        main()
    except s.Failed as failure:
        sys.exit(f"FAILED: {failure}")
