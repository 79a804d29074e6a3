#!/usr/bin/env python3
"""Every state of a run × {kill, error} × {before, after}, for apply and for rollback, as a table; and recover killed at its own
transitions. Usage: states.py [KIND ...]; without one each row takes the next kind of machine."""

import itertools
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
        # What is kept can be gone back to, and nothing else is kept.
        kept = sorted(r["id"] for r in self.stage.runs() if r.get("undo") == "kept")
        s.expect("undo folders", kept, self.stage.undo_folders())


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


def main():
    stages = Stages(sys.argv[1:] or s.KINDS)
    count = 0
    try:
        for title in rows(stages):
            count += 1
            print(f"row {count}: {title}", flush=True)
    finally:
        stages.close()
    print(f"{count} rows")


if __name__ == "__main__":
    try:
        main()
    except s.Failed as failure:
        sys.exit(f"FAILED: {failure}")
