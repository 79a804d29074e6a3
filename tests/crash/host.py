#!/usr/bin/env python3
"""What happens around an interrupted run: the host boots again and numbers its disks anew, storage is absent or full, a backup reads, a
clone starts, the machine runs and writes, an operator must choose. Each case is one function; its name says what is expected.
Usage: host.py [PART-OF-A-NAME]"""

import contextlib
import json
import os
import sqlite3
import subprocess

import stage as s

FOREIGN = (0x5A, s.ROOM + (1 << 20), 65536)  # pattern, offset, length: within what the patch writes


def last_id(stage):
    return stage.last_run()["id"]


def says(text, *parts):
    for part in parts:
        if part not in text:
            raise s.Failed(f"nothing says {part!r}: {text}")


def file_system(stage, mib=200, kind="ext4"):
    """Puts the machine's image on a file system of its own, mounted from a loop device."""
    disk = stage.disks[0]
    host = stage.path("host-disk")
    with open(host, "wb") as out:
        out.truncate(mib << 20)
    s.must("mkfs." + kind, "-q", "-F", host)
    stage.mount_point = stage.path("mnt")
    os.mkdir(stage.mount_point)
    mount(stage)
    moved = os.path.join(stage.mount_point, os.path.basename(disk.file))
    s.must("cp", "--sparse=always", disk.file, moved)
    disk.file = disk.path = moved
    disk.folder = stage.path("images")
    stage.define()


def mount(stage):
    s.must("mount", "-o", "loop", stage.path("host-disk"), stage.mount_point)


def unmount(stage):
    s.must_when_free("umount", stage.mount_point)


def fill(stage):
    """Every block of the file system that an ordinary write could get."""
    for size in ("64K", "1K"):
        subprocess.run(["dd", "if=/dev/zero", "of=" + os.path.join(stage.mount_point, "filler"), "oflag=append", "conv=notrunc", "bs=" + size,
                        "status=none"], capture_output=True, check=False)
        os.sync()


def make_room(stage):
    os.unlink(os.path.join(stage.mount_point, "filler"))


def ready(kind="raw", **more):
    stage = s.Stage(kind, **more)
    stage.old = stage.digests()
    return stage


def patched(stage):
    """Content after the patch, found on a copy of the disk's bytes."""
    stage.keep()
    stage.apply()
    stage.new = stage.digests()
    stage.put_back()
    return stage


# --- the host ---

def a_file_whose_file_system_is_mounted_under_another_number_is_recovered():
    with ready() as stage:
        file_system(stage)
        try:
            patched(stage)
            stage.apply(code=-9, VMPATCH_CRASH_AT="after:committing")
            number = os.stat(stage.disks[0].file).st_dev
            unmount(stage)
            with open(stage.path("other"), "wb") as other:
                other.truncate(1 << 20)
            loop = s.must("losetup", "--find", "--show", stage.path("other")).strip()
            try:
                mount(stage)
            finally:
                s.must("losetup", "--detach", loop)
            if os.stat(stage.disks[0].file).st_dev == number:
                raise s.Failed("the device number is the same; this proves nothing")
            says(stage.run("recover"), "redone")
            s.expect("content", stage.new, stage.digests())
        finally:
            unmount(stage)


def a_block_device_that_got_another_number_is_recovered_by_the_name_that_its_machine_has():
    with ready("device") as stage:
        disk = stage.disks[0]
        link = f"/dev/vm-patch-test-{os.getpid()}"
        os.symlink(os.path.basename(disk.loop), link)
        try:
            disk.path = link
            stage.define()
            patched(stage)
            stage.apply(code=-9, VMPATCH_CRASH_AT="after:committing")
            before = disk.loop
            disk.detach()
            with open(stage.path("other"), "wb") as other:
                other.truncate(1 << 20)
            in_the_way = s.must("losetup", "--show", before, stage.path("other")).strip() if os.path.exists(before) else ""
            disk.attach()
            os.unlink(link)
            os.symlink(os.path.basename(disk.loop), link)
            disk.path = link
            if disk.loop == before:
                raise s.Failed("the device is the same; this proves nothing")
            says(stage.run("recover"), "redone")
            s.expect("content", stage.new, stage.digests())
            s.must("losetup", "--detach", before)
            del in_the_way
        finally:
            os.unlink(link)


def storage_that_is_absent_is_waited_for_however_often():
    with ready() as stage:
        file_system(stage)
        try:
            patched(stage)
            stage.apply(code=-9, VMPATCH_CRASH_AT="after:committing")
            unmount(stage)
            for _ in range(5):
                says(stage.run("recover", code=7), "waiting")
                s.expect("state", "committing", stage.last_run()["state"])
            mount(stage)
            says(stage.run("recover"), "redone")
            s.expect("content", stage.new, stage.digests())
        finally:
            unmount(stage)


def another_file_in_the_place_of_the_disk_is_not_touched():
    with ready() as stage:
        disk = stage.disks[0]
        stage.apply(code=-9, VMPATCH_CRASH_AT="after:committing")
        os.rename(disk.file, disk.file + ".real")
        s.must("cp", disk.file + ".real", disk.file)
        before = stage.digests()
        says(stage.run("recover", code=7), "waiting", "another file has its name")
        s.expect("content of the other file", before, stage.digests())
        run = last_id(stage)
        stage.run("recover", run, "--to", "keep", "--yes")
        s.expect("state", "discarded", stage.last_run()["state"])
        s.expect("content of the other file", before, stage.digests())
        # The real disk is half written wherever it is: both contents stay, and expire together.
        logs = [os.path.join(stage.state, "runs", run, "vda.overlay.qcow2"), os.path.join(stage.state, "undo", run, "vda.undo.qcow2")]
        stage.run("recover")
        s.expect("logs", [True, True], [os.path.exists(log) for log in logs])
        s.expect("undo of the run", "kept", stage.last_run()["undo"])
        with open(stage.path("vm-patch.yaml"), "w", encoding="utf-8") as out:
            out.write("schema: vm-patch/config/v1\nundo_keep: 1s\n")
        s.must("sleep", "2")
        stage.apply()
        s.expect("logs", [False, False], [os.path.exists(os.path.dirname(log)) for log in logs])


def a_file_system_without_room_is_told_before_anything_is_written():
    with ready() as stage:
        file_system(stage, mib=60)
        try:
            fill(stage)
            before = stage.digests()
            says(stage.apply(code=4), "may grow by", "make room there")
            s.expect("content", before, stage.digests())
            s.expect("state", "failed", stage.last_run()["state"])
        finally:
            unmount(stage)


def a_file_system_that_fills_up_during_the_commit_gets_the_old_content_back():
    with ready() as stage:
        file_system(stage, mib=60)
        try:
            before = stage.digests()
            stage.apply(code=1, VMPATCH_AT_TRANSITION=filler_at(stage, "after:committing"))
            s.expect("content", before, stage.digests())
            s.expect("state", "failed", stage.last_run()["state"])
            says(stage.last_run()["error"], "No space left on device")
            s.expect("a recover", "no interrupted run\n", stage.run("recover"))
        finally:
            unmount(stage)


@contextlib.contextmanager
def one_file_system():
    """Image and state directory on one: what fills it leaves no room for the ledger either."""
    with ready() as stage:
        put_on_one_file_system(stage)
        try:
            yield stage
        finally:
            unmount(stage)


def put_on_one_file_system(stage):
    file_system(stage, mib=300)
    with open(stage.path("vm-patch.yaml"), "w", encoding="utf-8") as out:
        out.write("schema: vm-patch/config/v1\nspace_reserve: 0\n")
    state = os.path.join(stage.mount_point, "state")
    s.must("cp", "-a", stage.state, state)
    s.replace(stage.state + ".anchor", state + ".anchor")
    stage.state = state


def a_commit_that_fills_the_file_system_of_the_ledger_too_is_taken_back_and_recorded():
    for verb in ("apply", "rollback"):
        with one_file_system() as stage:
            if verb == "rollback":
                stage.apply()
            before = stage.digests()
            act = stage.apply if verb == "apply" else stage.rollback
            full = filler_at(stage, "after:committing")
            # What a rollback writes needs no room: it fails for another reason, and there is none for the ledger.
            error = {} if verb == "apply" else {"VMPATCH_ERROR_AT": "before:committed"}
            says(act(code=1, VMPATCH_AT_TRANSITION=full, **error), "No space left on device" if verb == "apply" else "as wished")
            s.expect("content", before, stage.digests())
            make_room(stage)
            s.expect("state", "failed", stage.last_run()["state"])
            s.expect("a recover", "no interrupted run\n", stage.run("recover"))
            stage.run("audit", "verify")
            if verb == "apply":
                stage.apply()


def a_recovery_on_a_file_system_that_is_full_for_the_ledger_too_puts_the_old_content_back():
    with one_file_system() as stage:
        before = stage.digests()
        stage.apply(code=-9, VMPATCH_CRASH_AT="after:committing")
        fill(stage)
        says(stage.run("recover"), "put back", "No space left on device")
        s.expect("content", before, stage.digests())
        s.expect("state", "discarded", stage.last_run()["state"])
        make_room(stage)
        stage.run("audit", "verify")
        stage.apply()


def without_any_room_the_old_content_comes_back_and_is_recorded_when_there_is():
    with one_file_system() as stage:
        before = stage.digests()
        full = filler_at(stage, "after:committing", first=os.path.join(stage.state, "reserve"))
        says(stage.apply(code=7, VMPATCH_AT_TRANSITION=full), "make room, then run 'vm-patch recover'")
        s.expect("content", before, stage.digests())
        done = stage.try_run("recover")
        says(done.stdout + done.stderr, "No space left on device", "make room")
        s.expect("content", before, stage.digests())
        make_room(stage)
        says(stage.run("recover"), "web01: run")
        if stage.last_run()["state"] == "discarded":
            s.expect("content", before, stage.digests())
        else:
            s.expect("state", "attested", stage.last_run()["state"])
        stage.run("audit", "verify")


def a_recovery_without_room_puts_the_old_content_back():
    with ready() as stage:
        file_system(stage, mib=60)
        try:
            before = stage.digests()
            stage.apply(code=-9, VMPATCH_CRASH_AT="after:committing")
            fill(stage)
            says(stage.run("recover"), "put back", "No space left on device")
            s.expect("content", before, stage.digests())
            s.expect("state", "discarded", stage.last_run()["state"])
            make_room(stage)
            stage.apply()
        finally:
            unmount(stage)


def filler_at(stage, point, first=""):
    """Once; `first` is removed before."""
    script = stage.path("fill")
    with open(script, "w", encoding="utf-8") as out:
        out.write(f"#!/bin/sh\n[ \"$1\" = {point} ] && ! [ -e '{stage.mount_point}/filler' ] || exit 0\nrm -f '{first}'\n"
                  f"dd if=/dev/zero of='{stage.mount_point}/filler' bs=64K status=none 2>/dev/null\nsync\nexit 0\n")
    os.chmod(script, 0o755)
    return script


def state_file_system(stage, mib=160):
    """Puts the state folder on a small file system of its own."""
    with open(stage.path("vm-patch.yaml"), "w", encoding="utf-8") as config:
        config.write("schema: vm-patch/config/v1\nspace_reserve: 1MiB\n")
    with open(stage.path("host-disk"), "wb") as out:
        out.truncate(mib << 20)
    s.must("mkfs.ext4", "-q", "-F", "-m", "0", stage.path("host-disk"))
    kept = stage.state + ".before"
    os.rename(stage.state, kept)
    os.mkdir(stage.state, 0o700)
    stage.mount_point = stage.state
    mount(stage)
    os.chmod(stage.state, 0o700)
    s.must("cp", "-a", kept + "/.", stage.state)


def a_state_folder_that_fills_up_ends_the_run_and_its_overlay_is_gone():
    for point, verb in (("after:staged", "apply"), ("after:leased", "apply"), ("after:verified", "apply"), ("after:patched", "rollback")):
        with ready("qcow2") as stage:
            state_file_system(stage)
            try:
                if verb == "rollback":
                    stage.apply()
                before = stage.digests()
                getattr(stage, verb)(code=1, VMPATCH_AT_TRANSITION=filler_at(stage, point))
                s.expect("content", before, stage.digests())
                s.expect(f"state of a {verb} that met a full disk {point}", "failed", stage.last_run(verb)["state"])
                stage.nothing_left()
                s.expect("a recover", "no interrupted run\n", stage.run("recover"))
                make_room(stage)
                getattr(stage, verb)()
            finally:
                unmount(stage)


def nothing_is_said_of_a_machine_that_stands_on_a_torn_disk():
    with ready("qcow2") as stage:
        disk = stage.disks[0]
        path, clone = disk.path, os.path.join(stage.images, "clone.qcow2")
        stage.apply(code=-9, VMPATCH_CRASH_AT="after:committing")
        s.must_when_free("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", path, clone)
        disk.path = clone
        stage.define(uuid=s.UUID + "2", name="web02")
        bundle = stage.path("patch1.vmpatch")
        says(stage.run("verify", "-d", "web02", "-r", bundle, code=7), "was interrupted while committing", "vm-patch recover")
        # It tries to end the run first, and the clone is what a human must know of.
        says(stage.run("apply", "-d", "web02", "-r", bundle, "--yes", code=7), "between old and new", "shows the ways out")
        says(stage.run("verify", "-d", "web02", "-r", bundle, code=7), "between old and new", "shows the ways out")
        os.unlink(clone)
        disk.path = path
        stage.define()
        stage.run("recover", "--retry")
        stage.sound()


def a_run_that_a_newer_vm_patch_has_recorded_is_left_to_it():
    with ready() as stage:
        stage.apply(code=-9, VMPATCH_CRASH_AT="after:committing")
        ledger = sqlite3.connect(os.path.join(stage.state, "ledger.sqlite"))
        with ledger:
            ledger.execute("UPDATE runs SET detail = json_set(detail, '$.schema', 9) WHERE state = 'committing'")
        ledger.close()
        stage.run("audit", "accept", "--yes", "--reason", "a test")
        says(stage.run("recover", code=7), "was recorded by a newer vm-patch")
        s.expect("state", "committing", stage.last_run()["state"])


def logs_whose_folder_is_not_there_are_waited_for():
    with ready() as stage:
        patched(stage)
        stage.apply(code=-9, VMPATCH_CRASH_AT="after:committing")
        for folder in ("runs", "undo"):
            where, away = os.path.join(stage.state, folder, last_id(stage)), stage.path("away")
            os.rename(where, away)
            says(stage.run("recover", code=7), "is not there, where the logs of run", "mount it")
            s.expect("state", "committing", stage.last_run()["state"])
            os.rename(away, where)
        says(stage.run("recover"), "redone")
        s.expect("content", stage.new, stage.digests())


def a_way_back_whose_flush_failed_is_compared_with_the_disk_and_not_with_memory():
    """Storage that is thin: a snapshot is made of it and it fills up, so that what was written back never reaches it. Then there is room."""
    with ready() as stage:
        thin, pool = stage.path("thin"), stage.path("pool")
        with open(thin, "wb") as out:
            out.truncate(700 << 20)
        s.must("mkfs.xfs", "-q", "-f", thin)
        os.mkdir(pool)
        s.must("mount", "-o", "loop", thin, pool)
        os.symlink(os.path.join(pool, "host-disk"), stage.path("host-disk"))
        try:
            # Without a journal, so that it goes on when its own writes fail.
            file_system(stage, kind="ext2")
            try:
                patched(stage)
                stage.apply(code=-9, VMPATCH_CRASH_AT="before:committed")
                s.expect("content", stage.new, stage.digests())
                run = last_id(stage)
                os.sync()
                s.must("cp", "--reflink=always", os.path.join(pool, "host-disk"), os.path.join(pool, "snapshot"))
                fillers = [os.path.join(pool, "filler" + size) for size in ("1M", "4K")]
                for filler in fillers:
                    subprocess.run(["dd", "if=/dev/zero", "of=" + filler, "bs=" + filler[-2:], "status=none"], capture_output=True, check=False)
                    os.sync()
                stage.try_run("recover", run, "--to", "old", "--yes")
                s.expect("state", "committing", stage.last_run()["state"])
                for filler in filter(os.path.exists, fillers):
                    os.unlink(filler)
                os.sync()
                says(stage.run("recover"), "put back")
                os.sync()
                with open("/proc/sys/vm/drop_caches", "w", encoding="utf-8") as drop:
                    drop.write("3\n")
                s.expect("content of the disk itself", stage.old, stage.digests())
            finally:
                unmount(stage)
        finally:
            os.sync()
            s.must_when_free("umount", pool)


def a_killed_run_is_recovered_in_a_full_state_folder():
    with ready("qcow2") as stage:
        state_file_system(stage)
        try:
            before = stage.digests()
            stage.apply(code=-9, VMPATCH_CRASH_AT="after:patched")
            fill(stage)
            says(stage.run("recover"), "discarded")
            s.expect("content", before, stage.digests())
            stage.nothing_left()
            make_room(stage)
            stage.apply()
        finally:
            unmount(stage)


def recover_after_a_crash_of_the_host(stage, code):
    """The same host, with another boot id."""
    boot = stage.path("boot_id")
    with open(boot, "w", encoding="utf-8") as out:
        out.write("11111111-2222-3333-4444-555555555555\n")
    command = ["unshare", "--mount", "sh", "-euc", f"mount --bind '{boot}' /proc/sys/kernel/random/boot_id; exec \"$@\"", "sh",
               *stage.command("recover")]
    done = subprocess.run(command, env=stage.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    s.expect("exit code of recover: " + done.stdout + done.stderr, code, done.returncode)
    return done.stdout + done.stderr


def blocks_that_are_zero_after_a_crash_of_the_host_are_lost_writes_in_a_qcow2_image_and_nowhere_else():
    # A table may be on the disk before its block. Without such a crash, or in a raw file, somebody wrote these zeros.
    for kind, host_went_down, redone in (("qcow2", True, True), ("qcow2", False, False), ("raw", True, False)):
        with ready(kind) as stage:
            patched(stage)
            stage.apply(code=-9, VMPATCH_CRASH_AT="after:committing")
            if not stage.guest_writes(stage.disks[0], 0, *FOREIGN[1:]):
                raise s.Failed("nothing could be zeroed")
            zeroed, code = stage.digests(), 0 if redone else 7
            said = recover_after_a_crash_of_the_host(stage, code) if host_went_down else stage.run("recover", code=code)
            says(said, "redone" if redone else "quarantined")
            s.expect("content", stage.new if redone else zeroed, stage.digests())


# --- somebody else ---

class Reader:
    """A backup: a QEMU that reads an image under its own locks."""

    def __init__(self, stage, disk):
        self.socket = stage.path("reader.sock")
        self.process = subprocess.Popen(["qemu-nbd", "--read-only", "--persistent", "-f", disk.format, "-k", self.socket, disk.path])
        while not os.path.exists(self.socket):
            if self.process.poll() is not None:
                raise s.Failed("the reader did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def a_backup_that_reads_makes_apply_and_rollback_wait_and_nothing_is_left_over():
    with ready() as stage:
        with Reader(stage, stage.disks[0]):
            says(stage.apply(code=6), "in use by another program")
        s.expect("state", "failed", stage.last_run()["state"])
        stage.apply()
        new = stage.digests()
        with Reader(stage, stage.disks[0]):
            says(stage.rollback(code=6), "in use by another program")
        s.expect("state", "failed", stage.last_run()["state"])
        s.expect("a recover", "no interrupted run\n", stage.run("recover"))
        s.expect("content", new, stage.digests())
        stage.rollback()
        s.expect("content", stage.old, stage.digests())


def a_clone_cannot_be_opened_from_the_lease_to_the_end():
    with ready("qcow2") as stage:
        disk = stage.disks[0]
        log = stage.path("clone.log")
        # Elsewhere, where nobody looks for children.
        os.mkdir(stage.path("elsewhere"))
        clone = stage.path("elsewhere/clone.qcow2")
        s.must("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", disk.path, clone)
        script = stage.path("open-clone")
        with open(script, "w", encoding="utf-8") as out:
            out.write(f"#!/bin/sh\nqemu-io -f qcow2 -c 'read 0 512' '{clone}' >'{log}.out' 2>&1\necho \"$1 $? $(cat '{log}.out')\" >>'{log}'\n")
        os.chmod(script, 0o755)
        stage.apply(VMPATCH_AT_TRANSITION=script)
        with open(log, encoding="utf-8") as lines:
            seen = dict(line.split(" ", 1) for line in lines if ":" in line.split(" ", 1)[0])
        s.expect("before the lease", "0", seen["before:leased"][0])
        for point in ("before:staged", "after:patched", "before:committing", "after:committing", "before:committed"):
            says(seen[point], "1 ", "consistent read")
        if seen["after:attested"][0] != "1":
            raise s.Failed("the clone was opened before the process had let go")
        s.must("qemu-io", "-f", "qcow2", "-c", "read 0 512", clone)


def a_machine_with_a_new_uuid_over_a_torn_disk_is_not_verified_before_recovery():
    with ready() as stage:
        patched(stage)
        stage.apply(code=-9, VMPATCH_CRASH_AT="after:committing")
        stage.define(uuid=s.UUID + "9", name="web99")
        says(stage.run("verify", "-d", "web99", "-r", stage.path("patch1.vmpatch"), code=7), "interrupted while committing")
        says(stage.apply(), "redone")
        s.expect("content", stage.new, stage.digests())


def a_word_about_one_image_ends_no_run_on_another():
    with ready() as stage:
        disk = stage.disks[0]
        other = stage.path("other.raw")
        s.must("cp", disk.file, other)
        with open(stage.path("node.xml"), "w", encoding="utf-8") as out:
            out.write("<node></node>")
        named = ("--format", "raw", "-r", stage.path("patch1.vmpatch"), "--yes", "--without-libvirt")
        stage.run("apply", "-a", disk.file, *named, code=-9, VMPATCH_CRASH_AT="before:committed")
        run, torn_disk = last_id(stage), stage.digests()
        with open(stage.path("node.xml"), "w", encoding="utf-8") as out:
            out.write("<node>")  # whom that libvirt has cannot be told
        says(stage.run("apply", "-a", other, *named), "does not answer", "vm-patch recover --without-libvirt")
        s.expect("state", "committing", next(r for r in stage.runs() if r["id"] == run)["state"])
        s.expect("content", torn_disk, stage.digests())
        says(stage.run("recover", code=7), "waiting")
        says(stage.run("apply", "-a", disk.file, *named), "redone")


def a_run_that_an_older_vm_patch_recorded_is_recovered_by_its_content():
    """Schema 1: the top layer by device and inode number, which says little after a reboot. Both logs say the rest."""
    for kind in ("raw", "chain", "device"):
        for writes in (False, True):
            with ready(kind) as stage:
                patched(stage)
                stage.apply(code=-9, VMPATCH_CRASH_AT="after:committing")
                if writes:
                    stage.guest_writes(stage.disks[0], *FOREIGN)
                before = stage.digests()
                recorded_by_an_older(stage)
                says(stage.run("recover", code=7 if writes else 0), "neither the old nor the new content" if writes else "redone")
                s.expect("content", before if writes else stage.new, stage.digests())


def recorded_by_an_older(stage):
    ledger = sqlite3.connect(os.path.join(stage.state, "ledger.sqlite"))
    (text,) = ledger.execute("SELECT detail FROM runs WHERE state = 'committing'").fetchone()
    detail = json.loads(text)
    for name in ("schema", "strategy", "direction", "boot"):
        del detail[name]
    for disk in detail["disks"]:
        info = os.stat(disk["path"])
        del disk["layers"]
        disk["device"], disk["inode"] = 4711, info.st_ino
    ledger.execute("UPDATE runs SET detail = ? WHERE state = 'committing'", (json.dumps(detail, separators=(",", ":")),))
    ledger.commit()
    ledger.close()
    stage.run("audit", "accept", "--reason", "made older by hand", "--yes")


# --- an operator must choose ---

def torn(stage):
    """Killed in the commit; then the machine ran and wrote."""
    patched(stage)
    stage.apply(code=-9, VMPATCH_CRASH_AT="after:committing")
    if not stage.guest_writes(stage.disks[0], *FOREIGN):
        raise s.Failed("the machine could not write")
    stage.torn = stage.digests()
    says(stage.run("recover", code=7), "quarantined", "neither the old nor the new content")
    s.expect("content of a quarantined disk", stage.torn, stage.digests())
    return last_id(stage)


def the_ways_out_of_a_quarantine_are_shown_with_what_each_loses():
    with ready() as stage:
        run = torn(stage)
        says(stage.run("recover", run, code=7), "64 KiB NEITHER", "--to keep", "--to old", "--to new", "64 KiB that somebody else wrote since")
        says(stage.run("recover", run, "--to", "old", code=2), "say --yes")
        says(stage.run("recover", "--to", "old", code=2), "needs the run")
        s.expect("content", stage.torn, stage.digests())
        s.expect("state", "quarantined", stage.last_run()["state"])
        says(stage.run("recover", "--retry", code=7), "quarantined")


def a_quarantine_that_is_kept_leaves_the_disks_and_is_not_attested():
    with ready("two") as stage:
        run = torn(stage)
        says(stage.run("recover", run, "--to", "keep", "--yes"), "kept", "unattested")
        s.expect("content", stage.torn, stage.digests())
        s.expect("state", "discarded", stage.last_run()["state"])
        s.expect("a recover", "no interrupted run\n", stage.run("recover"))
        says(stage.run("verify", "-d", "web01", "-r", stage.path("patch1.vmpatch"), code=3), "does not hold")


def holds(path, pattern, offset, length):
    done = subprocess.run(["qemu-io", "-r", "-f", "qcow2", "-c", f"read -P {pattern} {offset} {length}", path], capture_output=True, text=True,
                          check=False)
    return done.returncode == 0 and "verification failed" not in done.stdout


def lost_block(stage, run, block=FOREIGN):
    """In one of the copies that choices made: whole ones, in the folder that the operator was told."""
    folder = os.path.join(stage.state, "undo", run)
    copies = [name for name in os.listdir(folder) if ".lost" in name] if os.path.isdir(folder) else []
    if not any(holds(os.path.join(folder, name), *block) for name in copies):
        raise s.Failed(f"what somebody else wrote is in none of the copies {copies}")


def killed_choice(stage, run, way, file=None):
    stage.run("recover", run, "--to", way, "--yes", code=-9, VMPATCH_CRASH_AT="during:write", VMPATCH_CRASH_AFTER_MS="0",
              VMPATCH_CRASH_FILE=file or stage.disks[0].file)


def a_quarantine_that_goes_to_old_is_the_old_disk_and_keeps_what_it_overwrote():
    with ready() as stage:
        run = torn(stage)
        says(stage.run("recover", run, "--to", "old", "--yes"), "put back", "what was overwritten lies in")
        s.expect("content", stage.old, stage.digests())
        s.expect("state", "discarded", stage.last_run()["state"])
        lost_block(stage, run)
        s.expect("a recover", "no interrupted run\n", stage.run("recover"))
        stage.apply()


def a_quarantine_that_goes_to_new_is_the_new_disk_and_is_not_attested():
    with ready("qcow2") as stage:
        run = torn(stage)
        says(stage.run("recover", run, "--to", "new", "--yes"), "unattested")
        s.expect("content", stage.new, stage.digests())
        s.expect("state", "discarded", stage.last_run()["state"])
        lost_block(stage, run)


def a_choice_that_is_killed_is_gone_on_with():
    for way, content in (("old", "old"), ("new", "new")):
        with ready() as stage:
            run = torn(stage)
            killed_choice(stage, run, way)
            stage.run("recover")
            s.expect("content", getattr(stage, content), stage.digests())
            s.expect("state", "discarded", stage.last_run()["state"])
            lost_block(stage, run)


def disks_that_are_kept_after_a_choice_was_killed_leave_the_copy_that_it_made():
    with ready() as stage:
        run = torn(stage)
        killed_choice(stage, run, "old")
        says(stage.run("recover", run, "--to", "keep", "--yes"), "kept", os.path.join(stage.state, "undo", run))
        stage.run("recover")
        lost_block(stage, run)
        s.expect("undo of the run", "kept", stage.last_run()["undo"])


SECOND = (0x77, s.ROOM + (3 << 20), 65536)


def a_second_choice_that_is_killed_while_it_copies_closes_no_way():
    for way in ("old", "new"):
        with ready() as stage:
            run = torn(stage)
            killed_choice(stage, run, "old")
            if not stage.guest_writes(stage.disks[0], *SECOND):
                raise s.Failed("the machine could not write")
            folder = os.path.join(stage.state, "undo", run)
            before = set(os.listdir(folder))
            # Dies as soon as its copy begins to exist.
            command = stage.start("recover", run, "--to", "new", "--yes", VMPATCH_CRASH_AT="during:committing", VMPATCH_CRASH_AFTER_MS="0")
            while command.poll() is None and not set(os.listdir(folder)) - before:
                pass
            command.kill()
            command.wait()
            s.must_when_free("qemu-img", "info", "-f", "raw", stage.disks[0].path)
            says(stage.run("recover", code=7), "quarantined", "neither the old nor the new content")
            says(stage.run("recover", run, code=7), "--to old", "--to new", "64 KiB NEITHER")
            stage.run("recover", run, "--to", way, "--yes")
            s.expect("content", getattr(stage, way), stage.digests())
            lost_block(stage, run)
            lost_block(stage, run, SECOND)


def a_copy_of_what_was_overwritten_that_is_gone_closes_no_way():
    with ready() as stage:
        run = torn(stage)
        killed_choice(stage, run, "old")
        folder = os.path.join(stage.state, "undo", run)
        for name in os.listdir(folder):
            if ".lost" in name:
                os.unlink(os.path.join(folder, name))
        stage.run("recover", code=(0, 7))
        if stage.last_run()["state"] == "quarantined":
            stage.run("recover", run, "--to", "old", "--yes")
        s.expect("content", stage.old, stage.digests())


def what_stands_on_a_torn_disk_is_told_kept_and_does_not_stop_the_choice():
    """A clone of it, or memory that was saved over it: the disk as it was when the operator chose is kept."""
    for user in ("clone", "memory"):
        with ready("qcow2") as stage:
            patched(stage)
            stage.apply(code=-9, VMPATCH_CRASH_AT="before:committed")
            s.expect("content", stage.new, stage.digests())
            if user == "clone":
                for name in ("clone", "other"):
                    s.must("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", stage.disks[0].path,
                           os.path.join(stage.images, name + ".qcow2"))
                remarks = ("became the backing file of", "clone.qcow2", "other.qcow2")
            else:
                stage.define(saved=True)
                remarks = ("memory of web01 was saved",)
            says(stage.run("recover", code=7), "quarantined", *remarks)
            run = last_id(stage)
            text = stage.run("recover", run, code=7)
            says(text, *remarks, "what stands on the disks as they are now is damaged", "a copy of what is overwritten is kept")
            if "nothing is lost" in text:
                raise s.Failed(f"a choice is said to lose nothing: {text}")
            killed_choice(stage, run, "old")
            says(stage.run("recover"), "put back", "what was overwritten lies in")
            s.expect("content", stage.old, stage.digests())
            s.expect("the copy over the disk", stage.new, laid_over(stage, os.path.join(stage.state, "undo", run, "vda.undo.qcow2.lost")))


def laid_over(stage, copy):
    over = stage.path("over.qcow2")
    s.must("cp", copy, over)
    s.must("qemu-img", "rebase", "-u", "-f", "qcow2", "-F", stage.disks[0].format, "-b", stage.disks[0].path, over)
    whole = stage.path("over.raw")
    s.must("qemu-img", "convert", "-f", "qcow2", "-O", "raw", over, whole)
    with open(whole, "rb") as data:
        return [s.hashlib.sha256(data.read()).hexdigest()]


def a_clone_that_came_after_the_choice_is_told_again():
    with ready("qcow2") as stage:
        run = torn(stage)
        killed_choice(stage, run, "old")
        s.must_when_free("qemu-img", "info", "-f", "qcow2", stage.disks[0].path)
        s.must("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", stage.disks[0].path, os.path.join(stage.images, "late.qcow2"))
        before = stage.digests()
        says(stage.run("recover", code=7), "quarantined", "late.qcow2")
        s.expect("content", before, stage.digests())


def a_committing_run_can_be_sent_back_to_old():
    with ready("chain") as stage:
        patched(stage)
        stage.apply(code=-9, VMPATCH_CRASH_AT="before:committed")
        s.expect("content", stage.new, stage.digests())
        run = last_id(stage)
        says(stage.run("recover", run, code=7), "--to old", "nothing is lost")
        says(stage.run("recover", run, "--to", "old", "--yes"), "put back")
        s.expect("content", stage.old, stage.digests())
        stage.apply()


def without_the_redo_log_the_way_to_old_is_left():
    with ready() as stage:
        stage.apply(code=-9, VMPATCH_CRASH_AT="after:committing")
        run = last_id(stage)
        os.unlink(os.path.join(stage.state, "runs", run, "vda.overlay.qcow2"))
        says(stage.run("recover", code=7), "quarantined", "redo log")
        text = stage.run("recover", run, code=7)
        says(text, "--to old", "--to keep")
        if "--to new" in text:
            raise s.Failed("the new content is gone, and offered")
        stage.run("recover", run, "--to", "new", "--yes", code=4)
        stage.run("recover", run, "--to", "old", "--yes")
        s.expect("content", stage.old, stage.digests())


def a_choice_with_one_log_that_is_killed_is_gone_on_with():
    with ready() as stage:
        patched(stage)
        stage.apply(code=-9, VMPATCH_CRASH_AT="before:committed")
        run = last_id(stage)
        os.unlink(os.path.join(stage.state, "runs", run, "vda.overlay.qcow2"))
        killed_choice(stage, run, "old")
        says(stage.run("recover"), "put back")
        s.expect("content", stage.old, stage.digests())


def without_the_undo_image_the_way_to_new_is_left():
    with ready() as stage:
        patched(stage)
        stage.apply(code=-9, VMPATCH_CRASH_AT="after:committing")
        run = last_id(stage)
        os.unlink(os.path.join(stage.state, "undo", run, "vda.undo.qcow2"))
        says(stage.run("recover", code=7), "quarantined", "undo image")
        stage.run("recover", run, "--to", "old", "--yes", code=4)
        stage.run("recover", run, "--to", "new", "--yes")
        s.expect("content", stage.new, stage.digests())


# --- rollback ---

def a_rollback_after_the_machine_wrote_is_refused_with_how_much_it_was():
    with ready() as stage:
        stage.apply()
        stage.guest_writes(stage.disks[0], *FOREIGN)
        used = stage.digests()
        says(stage.rollback(code=4), "64 KiB of the 9 MiB", "--accept-loss")
        s.expect("content", used, stage.digests())
        s.expect("state", "failed", stage.last_run()["state"])
        s.expect("the undo of the run", "kept", stage.last_run("apply")["undo"])


def refuses_to_overwrite_a_block(stage, run):
    used = stage.digests()
    says(stage.rollback(run=run, code=4), "64 KiB of the 9 MiB", "--accept-loss")
    s.expect("content", used, stage.digests())
    s.expect("state", "failed", stage.last_run()["state"])
    stage.rollback("--accept-loss", run=run)
    s.expect("content", stage.old, stage.digests())
    stage.rollback(run=stage.last_run("rollback")["id"])
    s.expect("content", used, stage.digests())


def a_rollback_on_a_block_device_that_was_attached_anew_is_refused_where_the_machine_wrote():
    with ready("device") as stage:
        stage.apply()
        disk = stage.disks[0]
        if not stage.guest_writes(disk, *FOREIGN):
            raise s.Failed("the machine could not write")
        disk.detach()
        disk.attach()
        stage.define()
        refuses_to_overwrite_a_block(stage, stage.last_run("apply")["id"])


def a_rollback_is_refused_where_the_machine_wrote_before_a_later_run_that_was_rolled_back():
    with ready() as stage:
        stage.apply("patch1")
        first = last_id(stage)
        stage.guest_writes(stage.disks[0], *FOREIGN)
        stage.apply("patch2")
        stage.rollback()
        refuses_to_overwrite_a_block(stage, first)


def a_rollback_that_accepts_the_loss_can_be_taken_back_itself():
    with ready() as stage:
        stage.apply()
        stage.guest_writes(stage.disks[0], *FOREIGN)
        used = stage.digests()
        stage.rollback("--accept-loss")
        s.expect("content", stage.old, stage.digests())
        stage.rollback(run=stage.last_run("rollback")["id"])
        s.expect("content", used, stage.digests())


def a_machine_that_was_written_beside_the_runs_blocks_is_rolled_back_and_keeps_that():
    with ready() as stage:
        stage.apply()
        where = (0x5A, (stage.disks[0].mib << 20) - 65536, 4096)
        stage.guest_writes(stage.disks[0], *where)
        stage.rollback()
        s.must("qemu-io", "-r", "-f", "raw", "-c", "read -P 90 {} {}".format(*where[1:]), stage.disks[0].path)


# --- what is attested afterwards ---

def with_two_files(kind="raw"):
    """A machine on which two recipes hold: one of a file beside the blocks that a run writes, one by a key of its own."""
    stage = ready(kind, beside="one\n")
    stage.apply_bundle(stage.make_file_bundle("beside", "/etc/beside", "one\\n"))
    stage.apply_bundle(stage.make_file_bundle("other", "/etc/other", "other\\n", key="other"))
    s.expect("attested", ["beside 1 delivered", "other 1 delivered"], stage.attested())
    return stage


def change_beside(stage):
    """In place, as somebody does who writes the image. The run's blocks are not touched."""
    if not stage.guest_writes(stage.disks[0], 0x5A, stage.beside[0], 512):
        raise s.Failed("the file could not be changed")


def revoke(stage, key):
    stage.run("key", "revoke", stage.key_id(key), "--reason", "laptop lost")


def a_rollback_attests_what_held_before_as_long_as_it_is_proved_again():
    with with_two_files() as stage:
        stage.apply()
        s.expect("attested", ["beside 1 delivered", "other 1 delivered", "patch1 1 delivered"], stage.attested())
        stage.rollback()
        s.expect("attested", ["beside 1 delivered", "other 1 delivered"], stage.attested())
        stage.rollback(run=last_id(stage))
        s.expect("attested", ["beside 1 delivered", "other 1 delivered", "patch1 1 delivered"], stage.attested())


def a_rollback_does_not_attest_what_was_written_beside_its_blocks_nor_by_whom_is_revoked():
    with with_two_files("qcow2") as stage:
        stage.apply()
        change_beside(stage)
        revoke(stage, "other")
        text = stage.rollback()
        says(text, "no longer attested: beside version 1: it does not hold any more: /etc/beside has other content",
             "no longer attested: other version 1: ", "laptop lost")
        s.expect("attested", [], stage.attested())
        says(stage.run("history"), "no longer attested: beside", "no longer attested: other")
        # Forward again: the patch itself is proved.
        stage.rollback(run=last_id(stage))
        s.expect("attested", ["patch1 1 delivered"], stage.attested())


def a_rollback_that_accepts_the_loss_attests_nothing():
    with with_two_files() as stage:
        stage.apply()
        stage.guest_writes(stage.disks[0], *FOREIGN)
        says(stage.rollback("--accept-loss"), "file systems may be damaged", "'vm-patch verify' with its bundle attests it again")
        s.expect("attested", [], stage.attested())
        stage.run("verify", "-d", "web01", "-r", stage.path("beside-1.vmpatch"))
        s.expect("attested", ["beside 1 delivered"], stage.attested())


def a_commit_that_is_done_again_is_attested_as_long_as_it_is_proved_again():
    with with_two_files("chain") as stage:
        stage.apply(code=-9, VMPATCH_CRASH_AT="after:committing")
        says(stage.run("recover"), "redone")
        s.expect("attested", ["beside 1 delivered", "other 1 delivered", "patch1 1 delivered"], stage.attested())


def a_commit_that_is_done_again_does_not_attest_what_was_written_beside_it_nor_by_whom_is_revoked():
    with with_two_files() as stage:
        stage.apply(code=-9, VMPATCH_CRASH_AT="after:committing")
        change_beside(stage)
        revoke(stage, "other")
        says(stage.run("recover"), "redone", "not attested: beside version 1: it does not hold any more", "not attested: other version 1: ",
             "laptop lost")
        s.expect("attested", ["patch1 1 delivered"], stage.attested())
        s.expect("state", "attested", stage.last_run()["state"])
        says(stage.run("history"), "no longer attested: beside", "no longer attested: other")


def a_commit_that_was_finished_is_attested_later_for_what_is_proved_then():
    with with_two_files() as stage:
        stage.apply(code=-9, VMPATCH_CRASH_AT="after:committed")
        says(stage.run("recover"), "the finished commit was attested")
        s.expect("attested", ["beside 1 delivered", "other 1 delivered", "patch1 1 delivered"], stage.attested())
    with with_two_files() as stage:
        stage.apply(code=-9, VMPATCH_CRASH_AT="after:committed")
        revoke(stage, "other")
        says(stage.run("recover"), "not attested: other version 1: ", "laptop lost")
        s.expect("attested", ["beside 1 delivered", "patch1 1 delivered"], stage.attested())
    with with_two_files() as stage:
        stage.apply(code=-9, VMPATCH_CRASH_AT="after:committed")
        change_beside(stage)
        says(stage.run("recover"), "not attested: beside version 1: ")
        s.expect("attested", [], stage.attested())
        s.expect("state", "attested", stage.last_run()["state"])


def a_rollback_that_is_done_again_attests_what_is_proved_then():
    with with_two_files() as stage:
        stage.apply()
        revoke(stage, "other")
        stage.rollback(code=-9, VMPATCH_CRASH_AT="after:committing")
        change_beside(stage)
        says(stage.run("recover"), "redone", "not attested: beside version 1")
        s.expect("attested", [], stage.attested())
        says(stage.run("history"), "no longer attested: beside", "no longer attested: other")


def a_commit_that_is_done_again_starts_no_appliance_to_prove_it_and_names_the_remedy():
    with with_two_files() as stage:
        stage.apply(code=-9, VMPATCH_CRASH_AT="before:committed")
        says(stage.run("recover", VMPATCH_NEEDS_APPLIANCE="1"), "redone", "not attested: patch1 version 1: it is not proved: only an appliance",
             "'vm-patch verify' with its bundle attests it again")
        s.expect("attested", [], stage.attested())
        stage.run("verify", "-d", "web01", "-r", stage.path("patch1.vmpatch"))
        s.expect("attested", ["patch1 1 delivered"], stage.attested())


# --- what is not attested at all ---

def a_recipe_for_another_system_is_not_attested_though_all_that_it_asks_for_is_there():
    with ready(beside="one\n") as stage:
        bundle = stage.make_file_bundle("beside", "/etc/beside", "one\\n", system="fedora")
        for verb in (("verify",), ("apply", "--yes")):
            says(stage.run(*verb, "-d", "web01", "-r", bundle), "the recipe is for fedora, the guest is debian")
        s.expect("attestations", [], stage.attestations())


def a_hibernated_guest_is_not_attested():
    with with_two_files() as stage:
        bundle = stage.path("beside-1.vmpatch")
        before = stage.attestations()
        for verb in (("verify",), ("apply", "--yes")):
            says(stage.run(*verb, "-d", "web01", "-r", bundle, code=4, VMPATCH_HIBERNATED="1"), "the guest is hibernated")
        s.expect("what is attested", before, stage.attestations())
        stage.apply()
        says(stage.rollback(VMPATCH_HIBERNATED="1"), "no longer attested: beside version 1: the guest is hibernated")
        s.expect("attested", [], stage.attested())


def a_machine_that_was_cloned_while_it_was_read_is_not_attested():
    with with_two_files("qcow2") as stage:
        before = stage.attestations()
        disk = stage.disks[0]
        clone = os.path.join(stage.images, "clone.qcow2")
        says(stage.run("verify", "-d", "web01", "-r", stage.path("beside-1.vmpatch"), code=4,
                       VMPATCH_AT_READ=f"qemu-img create -q -f qcow2 -F qcow2 -b '{disk.file}' '{clone}'"), "clone.qcow2")
        s.expect("what is attested", before, stage.attestations())


def a_machine_whose_disk_was_exchanged_while_it_was_read_is_not_attested():
    with with_two_files() as stage:
        before = stage.attestations()
        place = stage.path("images")
        # The file that is read stays as it is, in another folder.
        says(stage.run("verify", "-d", "web01", "-r", stage.path("beside-1.vmpatch"), code=6,
                       VMPATCH_AT_READ=f"mv '{place}' '{place}.read' && cp -r '{place}.read' '{place}'"), "others than a moment ago")
        s.expect("what is attested", before, stage.attestations())


def an_earlier_recipe_is_not_attested_again_once_a_newer_version_was_seen():
    with with_two_files() as stage:
        newer = stage.make_file_bundle("beside", "/etc/beside", "two\\n", version=2)
        stage.run("recipe", "verify", newer)
        says(stage.run("verify", "-d", "web01", "-r", stage.path("other-1.vmpatch")), "no longer attested: beside version 1: ", "older than version 2")
        s.expect("attested", ["other 1 delivered"], stage.attested())
        says(stage.run("verify", "-d", "web01", "-r", stage.path("beside-1.vmpatch"), code=5), "older than version 2, which was used here")


def runs_are_rolled_back_newest_first():
    with ready("two") as stage:
        stage.apply("patch1")
        first, middle = stage.last_run()["id"], stage.digests()
        stage.apply("patch2")
        second = stage.last_run()["id"]
        says(stage.rollback(run=first, code=4), "roll back first", second)
        stage.rollback(run=second)
        s.expect("content", middle, stage.digests())
        stage.rollback(run=first)
        s.expect("content", stage.old, stage.digests())
        says(stage.rollback(run=first, code=4), "rolled back already")


def undo_images_that_a_rollback_reads_do_not_expire():
    with ready() as stage:
        with open(stage.path("vm-patch.yaml"), "w", encoding="utf-8") as out:
            out.write("schema: vm-patch/config/v1\nundo_keep: 1s\n")
        stage.apply()
        stage.rollback(code=-9, VMPATCH_CRASH_AT="after:committing")
        # Another machine's patch is when expired ones are removed; its recovery must not get at this disk, as if it were in use.
        other = stage.path("other.raw")
        with open(other, "wb") as out:
            out.write(stage.text())
            out.truncate(24 << 20)
        s.must("sleep", "2")
        with Reader(stage, stage.disks[0]):
            stage.run("apply", "-a", other, "--format", "raw", "-r", stage.path("patch1.vmpatch"), "--yes")
        stage.run("recover")
        s.expect("content", stage.old, stage.digests())


def undo_images_expire_when_their_time_is_over():
    with ready() as stage:
        stage.apply()
        with open(stage.path("vm-patch.yaml"), "w", encoding="utf-8") as out:
            out.write("schema: vm-patch/config/v1\nundo_keep: 1s\n")
        s.must("sleep", "2")
        run = last_id(stage)
        stage.apply()  # nothing to do, but that
        s.expect("undo of the run", "expired", next(r for r in stage.runs() if r["id"] == run)["undo"])
        s.expect("undo folders", [], stage.undo_folders())
        says(stage.rollback(run=run, code=4), "expired")


if __name__ == "__main__":
    s.run_cases(globals())
