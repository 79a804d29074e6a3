#!/usr/bin/env python3
"""Runs a command in a session of its own, and sees that nothing of what it started outlives it, whatever session, group or account that is in.
Exit code: the command's, as a shell says it; 99 where something lived on for 5 s, which is named and killed.
Usage: no_orphans.py COMMAND ...           no_orphans.py --family PID: command lines of all that PID has started and that live"""

import ctypes
import os
import signal
import sys
import time

from peak_memory import family

CHILD_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2): who has lost its parent becomes our child


def lines(root):
    found = []
    for pid in family(root) - {root}:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as text:
                words = text.read().replace(b"\0", b" ").decode(errors="replace").strip()
            if words:  # a zombie has none
                found.append(f"{pid} {words}")
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def main():
    if sys.argv[1] == "--family":
        print("\n".join(lines(int(sys.argv[2]))))
        return 0
    if ctypes.CDLL(None).prctl(CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit("no_orphans: cannot become the parent of orphans")
    child = os.fork()
    if child == 0:
        os.setsid()
        os.execvp(sys.argv[1], sys.argv[1:])
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = []
    for _ in range(50):
        reap()
        left = lines(os.getpid())
        if not left:
            return code if code >= 0 else 128 - code
        time.sleep(0.1)
    print("outlive it by 5 s:", *left, sep="\n", file=sys.stderr)
    for line in left:
        os.kill(int(line.split()[0]), signal.SIGKILL)
    return 99


if __name__ == "__main__":
    sys.exit(main())
