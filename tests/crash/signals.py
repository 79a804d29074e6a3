#!/usr/bin/env python3
"""A run that is asked to end: by a signal, because nobody reads its messages any more, or because files may not grow. It ends by
itself, before the point of no return in the old content, after it in the new one, and leaves nothing for `recover`."""

import os
import resource
import signal
import subprocess
import sys

import stage as s

# Sent in this state: content of the disks, state of the run.
STATES = [
    ("after:planned",    "old", "failed"),
    ("after:staged",     "old", "failed"),
    ("after:verified",   "old", "failed"),
    ("before:committing", "old", "failed"),
    ("after:committing", "new", "attested"),
    ("before:committed", "new", "attested"),
    ("after:committed",  "new", "attested"),
]
SIGNALS = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGXCPU", "SIGALRM", "SIGUSR1", "SIGUSR2"]


def ended(stage, content, run):
    """By itself: nothing is left for recover."""
    s.expect("content of the disks", stage.pristine if content == "old" else stage.patched, stage.digests())
    s.expect("state of the run", run, stage.last_run()["state"])
    stage.nothing_left()
    s.expect("undo folders", [stage.last_run()["id"]] if run == "attested" else [], stage.undo_folders())
    s.expect("recover", "no interrupted run\n", stage.run("recover"))
    stage.sound()


def signalled(stage, name, point, content, run):
    stage.put_back()
    number = getattr(signal, name)
    said = stage.apply(code=-number, VMPATCH_SIGNAL_AT=point, VMPATCH_SIGNAL=str(int(number)))
    if run == "failed" and f"interrupted by {name}" not in said + stage.last_run()["error"]:
        raise s.Failed(f"{point}: no word about {name}: {said}")
    ended(stage, content, run)


def rolled_back(stage):
    stage.put_back()
    stage.apply()
    stage.rollback(code=-signal.SIGTERM, VMPATCH_SIGNAL_AT="after:staged", VMPATCH_SIGNAL=str(int(signal.SIGTERM)))
    s.expect("content of the disks", stage.patched, stage.digests())
    s.expect("state of the run", "failed", stage.last_run("rollback")["state"])
    s.expect("recover", "no interrupted run\n", stage.run("recover"))
    stage.rollback()
    s.expect("content of the disks", stage.pristine, stage.digests())


def ignored(stage):
    """As nohup(1) does: the run goes on."""
    stage.put_back()
    done = subprocess.run(["nohup", *stage.command("apply", "-d", stage.name, "-r", stage.path("patch1.vmpatch"), "--yes")],
                          env=stage.environment(VMPATCH_SIGNAL_AT="after:staged", VMPATCH_SIGNAL=str(int(signal.SIGHUP))),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    s.expect("exit code", 0, done.returncode)
    ended(stage, "new", "attested")


def nobody_reads(stage):
    """As `apply 2>&1 | head` does: the reader goes away while the run is staged."""
    stage.put_back()
    there, gone = stage.path("there"), stage.path("gone")
    for fifo in (there, gone):
        os.mkfifo(fifo)
    at = stage.path("at")
    with open(at, "w", encoding="utf-8") as script:
        script.write(f'#!/bin/sh\n[ "$1" = after:staged ] || exit 0\necho >{there}\nread -r _ <{gone}\n')
    os.chmod(at, 0o755)
    process = stage.start("apply", "-d", stage.name, "-r", stage.path("patch1.vmpatch"), "--yes", VMPATCH_AT_TRANSITION=at)
    with open(there, encoding="utf-8"):
        process.stdout.close()
    with open(gone, "w", encoding="utf-8") as word:
        word.write("\n")
    s.expect("exit code", 1, process.wait())
    ended(stage, "old", "failed")
    if "nobody reads the messages any more" not in stage.last_run()["error"]:
        raise s.Failed(f"the ledger says: {stage.last_run()['error']}")


def no_growth(stage, limit):
    """As `ulimit -f` does."""
    stage.put_back()
    done = subprocess.run(stage.command("apply", "-d", stage.name, "-r", stage.path("patch1.vmpatch"), "--yes"), env=stage.environment(),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    s.expect("exit code", 1, done.returncode)
    s.expect("content of the disks", stage.pristine, stage.digests())
    return done.stdout + done.stderr


def main():
    with s.Stage("qcow2") as stage:
        stage.pristine = stage.digests()
        stage.keep()
        stage.apply()
        stage.patched = stage.digests()
        for point, content, run in STATES:
            signalled(stage, "SIGTERM", point, content, run)
        for name in SIGNALS:
            signalled(stage, name, "after:leased", "old", "failed")
        rolled_back(stage)
        ignored(stage)
        nobody_reads(stage)
        # Room for the reserve of the state directory, and not for the overlay.
        no_growth(stage, (8 << 20) + (64 << 10))
        ended(stage, "old", "failed")
        # Not even the ledger has room for it.
        said = no_growth(stage, 16 << 10)
        if not any(word in said for word in ("File too large", "No space left", "full")):
            raise s.Failed(f"no reason was told: {said}")
        s.expect("recover", "no interrupted run\n", stage.run("recover"))
    print("as expected")
    return 0


if __name__ == "__main__":
    sys.exit(main())
