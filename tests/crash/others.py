#!/usr/bin/env python3
"""Users of a disk whom QEMU's image locks do not show: the host itself, and a QEMU with a /dev of its own. Each case is one function; its
name says what is expected. Usage: others.py [PART-OF-A-NAME]"""

import contextlib
import os

import libvirt_host
import stage as s
from host import ready, says

KINDS_OF_RUN = ("apply", "rollback")


def act(stage, verb, **more):
    return stage.apply(**more) if verb == "apply" else stage.rollback(**more)


def refuses(stage, *parts, verbs=KINDS_OF_RUN, code=6):
    """Neither verb writes a byte or leaves anything over; then, `free` having ended the use, both do their work."""
    for verb in verbs:
        before = stage.digests(in_use=True)
        says(act(stage, verb, code=code), *parts)
        s.expect("content", before, stage.digests(in_use=True))
        s.expect("state", "failed", stage.last_run(verb)["state"])


@contextlib.contextmanager
def claimed(path):
    """As the kernel claims what is mounted, swapped to, or a part of something."""
    fd = os.open(path, os.O_RDONLY | os.O_EXCL)
    try:
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def looped(path):
    loop = s.must("losetup", "--find", "--show", path).strip()
    try:
        yield loop
    finally:
        s.must("losetup", "--detach", loop)


def script(stage, text):
    path = stage.path("at-transition")
    with open(path, "w", encoding="utf-8") as out:
        out.write(f"#!/bin/sh\n{text}\nexit 0\n")
    os.chmod(path, 0o755)
    return path


# --- the host itself ---

def a_device_that_the_host_uses_is_not_written():
    with ready("device") as stage:
        with claimed(stage.disks[0].loop):
            refuses(stage, "in use by this host itself", "lsblk", verbs=("apply",))
        stage.apply()
        with claimed(stage.disks[0].loop):
            refuses(stage, "in use by this host itself", "lsblk", verbs=("rollback",))
        stage.rollback()
        s.expect("content", stage.old, stage.digests())


def a_device_that_is_mounted_is_not_written():
    with ready("device") as stage:
        disk = stage.disks[0]
        s.must("mkfs.ext4", "-q", "-F", disk.loop)
        os.mkdir(stage.path("mnt"))
        # No guest is on it any more: what is asked is whether vm-patch comes to hold it at all.
        with open(disk.loop, "r+b") as device:
            device.write(stage.text()[:1024])
        s.must("mount", "-o", "ro,noload", disk.loop, stage.path("mnt"))
        try:
            refuses(stage, "mounted", verbs=("apply",))
        finally:
            s.must_when_free("umount", stage.path("mnt"))


def a_device_cannot_be_mounted_from_the_lease_to_the_end():
    with ready("device") as stage:
        disk, log = stage.disks[0], stage.path("claim.log")
        claim = f"import os; os.open('{disk.loop}', os.O_RDONLY | os.O_EXCL)"
        at = script(stage, f"python3 -c \"{claim}\" 2>/dev/null; echo \"$1 $?\" >>'{log}'")
        stage.apply(VMPATCH_AT_TRANSITION=at)
        with open(log, encoding="utf-8") as lines:
            seen = dict(line.split() for line in lines)
        s.expect("before the lease", "0", seen["before:leased"])
        for point in ("before:staged", "before:committing", "after:committing", "before:committed", "after:attested"):
            s.expect(point, "1", seen[point])
        with claimed(disk.loop):
            pass


def an_image_or_a_device_that_is_attached_to_the_host_is_not_written():
    for kind in ("raw", "qcow2", "device"):
        with ready(kind) as stage:
            with looped(stage.disks[0].path) as loop:
                refuses(stage, f"attached to this host as {loop}", f"losetup --detach {loop}", verbs=("apply",))
            stage.apply()
            with looped(stage.disks[0].path) as loop:
                refuses(stage, f"attached to this host as {loop}", verbs=("rollback",))
            stage.rollback()
            s.expect("content", stage.old, stage.digests())


def an_image_that_is_attached_by_a_name_that_is_gone_is_not_written():
    with ready() as stage:
        other = stage.path("other-name")
        os.link(stage.disks[0].file, other)
        with looped(other) as loop:
            os.unlink(other)
            refuses(stage, f"attached to this host as {loop}", verbs=("apply",))


def an_image_that_is_attached_during_the_run_is_not_written():
    for point in ("before:verified", "after:committing"):
        for verb in KINDS_OF_RUN:
            with ready() as stage:
                if verb == "rollback":
                    stage.apply()
                before, disk = stage.digests(), stage.disks[0]
                at = script(stage, f"[ $1 != {point} ] || losetup --find --show '{disk.file}' >'{stage.path('loop')}'")
                try:
                    says(act(stage, verb, code=6, VMPATCH_AT_TRANSITION=at), "attached to this host")
                finally:
                    with open(stage.path("loop"), encoding="utf-8") as text:
                        s.must("losetup", "--detach", text.read().strip())
                s.expect("content", before, stage.digests())
                s.expect("state", "failed", stage.last_run()["state"])
                s.expect("a recover", "no interrupted run\n", stage.run("recover"))


# --- a QEMU with a /dev of its own, and no hook ---

def virsh_at(host, point, *words):
    log = host.path("virsh.log")
    return script(host, f"[ $1 != {point} ] || virsh -q -c '{host.uri}' {' '.join(words)} >>'{log}' 2>&1 || echo failed >>'{log}'")


def check_started(host):
    """It must have run, or nothing is proved: the locks did not keep it from that."""
    with open(host.path("virsh.log"), encoding="utf-8") as log:
        s.expect("what virsh said", "", log.read())
    s.expect("the machine", "running", host.domstate())


def a_machine_that_starts_during_a_run_by_its_own_node_keeps_its_disk():
    with libvirt_host.Host("device", own_dev=True) as host:
        for verb in KINDS_OF_RUN:
            for point in ("before:verified", "after:committing"):
                before = host.digests()
                said = act(host, verb, code=(4, 6), VMPATCH_AT_TRANSITION=virsh_at(host, point, "start", "web01"))
                check_started(host)
                says(said, "in use by")
                s.expect("content", before, host.digests(in_use=True))
                s.expect("state", "failed", host.last_run()["state"])
                s.expect("a recover", "no interrupted run\n", host.run("recover"))
                host.virsh("destroy", "web01")
            act(host, verb)


def a_machine_that_starts_while_its_disk_is_written_is_not_attested_and_not_written_to_any_more():
    with libvirt_host.Host("device", own_dev=True) as host:
        # The write is over when the new content is read back; what is next is the last look.
        at = virsh_at(host, "during:committing", "start", "web01")
        said = host.apply(code=7, VMPATCH_AT_TRANSITION=at)
        check_started(host)
        says(said, "somebody came while the disks were written", "quarantined")
        run = host.last_run()
        s.expect("state", "quarantined", run["state"])
        content = host.digests(in_use=True)
        host.virsh("destroy", "web01")
        says(host.run("recover", run["id"], code=7), "--to old", "--to new")
        host.run("recover", run["id"], "--to", "new", "--yes")
        s.expect("content", content, host.digests())


def a_machine_that_a_vain_start_shows_for_a_moment_does_not_end_a_run():
    with libvirt_host.Host("raw") as host:
        for point in ("after:committing", "during:committing"):
            log = host.path("vain.log")
            at = script(host, f"[ $1 != {point} ] || virsh -q -c '{host.uri}' start web01 >>'{log}' 2>&1")
            host.apply(VMPATCH_AT_TRANSITION=at)
            with open(log, encoding="utf-8") as text:
                says(text.read(), "lock")
            host.rollback()


def a_machine_of_a_libvirt_that_is_not_asked_is_seen_by_its_node():
    with libvirt_host.Host("device", own_dev=True) as host:
        s.must("virsh", "-q", "-c", host.uri, "start", "web01")
        before = host.digests(in_use=True)
        # The libvirt that is asked has the machine, too, and knows of no start.
        s.Stage.define(host)
        host.command = lambda *words: s.Stage.command(host, *words)
        said = host.apply(code=6)
        says(said, "in use by qemu-system", "by another node")
        s.expect("content", before, host.digests(in_use=True))


if __name__ == "__main__":
    s.run_cases(globals())
