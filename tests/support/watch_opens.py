#!/usr/bin/env python3
"""Tells which files of a folder are opened, by whomever: watch_opens.py DIR OUT

Writes a line for each to OUT, which is there when the watch is."""
import ctypes
import os
import struct
import sys

IN_OPEN = 0x20
libc = ctypes.CDLL(None, use_errno=True)
folder, out = sys.argv[1:]
watch = libc.inotify_init1(os.O_CLOEXEC)
if watch < 0 or libc.inotify_add_watch(watch, os.fsencode(folder), IN_OPEN) < 0:
    sys.exit(f"watch {folder}: {os.strerror(ctypes.get_errno())}")
with open(out, "w") as log:
    while True:
        events = os.read(watch, 65536)
        while events:
            _, _, _, length = struct.unpack_from("iIII", events)
            log.write(events[16:16 + length].rstrip(b"\0").decode() + "\n")
            events = events[16 + length:]
        log.flush()
