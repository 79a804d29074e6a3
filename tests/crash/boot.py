#!/usr/bin/env python3
"""Boot proofs on machines that cannot start, since their disk is one JSON text: QEMU is real and runs for a second or two. What is
not proved is not written, whatever ends it."""

import glob
import json
import os
import signal
import time

import stage as s


def make_stage(rule="always"):
    stage = s.Stage("qcow2")
    with open(stage.path("vm-patch.yaml"), "w", encoding="utf-8") as config:
        config.write(f"schema: vm-patch/config/v1\nboot_timeout: 60s\ngroups:\n  - name: all\n    match: {{names: ['*']}}\n    boot_proof: {rule}\n")
    stage.pristine = stage.digests()
    return stage


def machines_left():
    """QEMUs that were started with the UUID of the machine."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as words:
                text = words.read()
        except OSError:
            continue
        if b"qemu-system" in text and (s.UUID + "1").encode() in text:
            found.append(path)
    return found


def none_is_left():
    for _ in range(50):
        if not machines_left():
            return
        time.sleep(0.1)
    raise s.Failed(f"a machine outlives its vm-patch: {machines_left()}")


def is_unwritten(stage, state):
    none_is_left()
    s.expect("content of the disks", stage.pristine, stage.digests())
    s.expect("state of the run", state, stage.last_run()["state"])
    stage.nothing_left()
    s.expect("undo folders", [], stage.undo_folders())
    s.expect("recover", "no interrupted run\n", stage.run("recover"))
    stage.run("audit", "verify")


def a_machine_that_does_not_start_is_not_written_and_its_console_and_screen_are_kept():
    with make_stage() as stage:
        said = stage.apply(code=1)
        run = stage.last_run()["id"]
        logs = os.path.join(stage.state, "logs")
        for text in ("does not start after the patch: its firmware found nothing to start (No bootable device.)", f"{logs}/{run}.console", f"{logs}/{run}.screen."):
            if text not in said or text not in stage.last_run()["error"]:
                raise s.Failed(f"not told: {text}: {said}")
        with open(f"{logs}/{run}.console", encoding="utf-8") as console:
            if "Booting from Hard Disk" not in console.read():
                raise s.Failed("the console is not what the firmware wrote")
        s.expect("pictures", 1, len(glob.glob(f"{logs}/{run}.screen.*")))
        is_unwritten(stage, "failed")


def killed_while_the_machine_runs_nothing_outlives_it_and_recover_discards():
    with make_stage() as stage:
        stage.apply(code=-signal.SIGKILL, VMPATCH_CRASH_AT="during:booting")
        none_is_left()
        s.expect("state of the run", "verified", stage.last_run()["state"])
        said = stage.run("recover")
        if "discarded" not in said:
            raise s.Failed(f"recover did something else: {said}")
        is_unwritten(stage, "discarded")


def a_signal_while_the_machine_runs_ends_it_in_order():
    with make_stage() as stage:
        stage.apply(code=-signal.SIGTERM, VMPATCH_SIGNAL_AT="during:booting", VMPATCH_SIGNAL=str(int(signal.SIGTERM)))
        is_unwritten(stage, "failed")


def what_does_not_touch_the_start_is_not_started_by_rule_kernel_and_says_so():
    with make_stage("kernel") as stage:
        stage.run("apply", "-d", stage.name, "-r", stage.path("patch1.vmpatch"), "--yes")
        s.expect("state of the run", "attested", stage.last_run()["state"])
        proof = stage.last_run()["report"]["boot_proof"]
        s.expect("boot proof", {"up": False, "skipped": "nothing that it starts from was changed"}, proof)


def a_machine_that_this_host_cannot_start_is_refused_by_rule_always_before_anything_is_done():
    with make_stage() as stage:
        with open(stage.path("node.xml"), encoding="utf-8") as node:
            xml = node.read()
        with open(stage.path("node.xml"), "w", encoding="utf-8") as node:
            node.write(xml.replace("<type>hvm</type>", "<type>hvm</type><kernel>/boot/vmlinuz</kernel>"))
        said = stage.apply(code=4)
        for text in ("no boot proof is possible: its kernel is a file of the host (/boot/vmlinuz)", "--boot-proof never or kernel"):
            if text not in said:
                raise s.Failed(f"not told: {text}: {said}")
        s.expect("runs", [], stage.runs())
        said = stage.run("apply", "-d", stage.name, "-r", stage.path("patch1.vmpatch"), "--yes", "--boot-proof", "kernel")
        if "will not be started for a proof: its kernel is a file of the host" not in said or "not started for a proof" not in said:
            raise s.Failed(f"not told: {said}")
        s.expect("state of the run", "attested", stage.last_run()["state"])


s.run_cases(globals())
