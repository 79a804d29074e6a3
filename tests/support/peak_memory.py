#!/usr/bin/env python3
"""Runs a command and writes the largest memory that it and all its descendants held at the same time, in MiB, to a file.
Usage: peak_memory.py OUT COMMAND ...

Counted: each process's share of its pages (Pss of /proc/PID/smaps_rollup), memory files that it holds open and has not mapped, and
the memory file systems that only its mount namespace has. Needs root."""

import os
import subprocess
import sys
import time

EVERY = 0.1  # seconds


def parents():
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stat:
                    found[int(name)] = int(stat.read().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                pass
    return found


def family(root):
    of, members, grown = parents(), {root}, True
    while grown:
        more = {pid for pid, parent in of.items() if parent in members} - members
        members |= more
        grown = bool(more)
    return members


def share(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as rollup:
        return sum(int(line.split()[1]) << 10 for line in rollup if line.startswith("Pss:"))


def memory_files(pid):
    """By inode: blocks that are there."""
    found = {}
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        try:
            if os.readlink(f"{folder}/{name}").startswith("/memfd:"):
                info = os.stat(f"{folder}/{name}")
                found[info.st_ino] = info.st_blocks * 512
        except FileNotFoundError:
            pass
    return found


def memory_systems(pid, own):
    """By device, those that this program's namespace does not have."""
    found = {}
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="replace") as mounts:
        for line in mounts:
            words, behind = (part.split() for part in line.split(" - ", 1))
            if behind[0] == "tmpfs" and words[2] not in own:
                room = os.statvfs(f"/proc/{pid}/root{words[4]}")
                found[words[2]] = (room.f_blocks - room.f_bfree) * room.f_frsize
    return found


def held(root, own):
    pages, files, systems = 0, {}, {}
    for pid in family(root):
        try:
            pages += share(pid)
            files.update(memory_files(pid))
            systems.update(memory_systems(pid, own))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            pass  # it has ended
    return pages + sum(files.values()) + sum(systems.values())


def main():
    own = {line.split()[2] for line in open("/proc/self/mountinfo", encoding="utf-8")}
    out, command = sys.argv[1], sys.argv[2:]
    process = subprocess.Popen(command)
    peak = 0
    while process.poll() is None:
        peak = max(peak, held(process.pid, own))
        time.sleep(EVERY)
    with open(out, "w", encoding="utf-8") as text:
        text.write(f"{peak >> 20}\n")
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
