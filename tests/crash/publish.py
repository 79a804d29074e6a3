#!/usr/bin/env python3
"""Publishing a new version of a template, on a real libvirtd: every state of the run x {killed, error} x {before, after}, for apply and for its
rollback, as a table; recover killed at its own transitions; and what happens around it. In every row the machine's definition names the old
files or the new ones, whole, and what stands on the old ones sees what it saw."""

import glob
import os
import shutil
import sys

import libvirt_host
import stage as s

CLONE = s.UUID + "2"

# As in states.py. "old": the machine has the files from before the run, and what the run made is gone. "new": it has the ones of the run.
#   when     state        killed: files, run                error: exit code, files, run at once, files and run after recover
TABLE = [
    ("before", "planned",    "old", "none",                   1, "old", "none",       "old", "none"),
    ("after",  "planned",    "old", "discarded",              1, "old", "failed",     "old", "failed"),
    ("after",  "leased",     "old", "discarded",              1, "old", "failed",     "old", "failed"),
    ("after",  "staged",     "old", "discarded",              1, "old", "failed",     "old", "failed"),
    ("before", "verified",   "old", "discarded",              1, "old", "failed",     "old", "failed"),
    ("after",  "verified",   "old", "discarded",              1, "old", "failed",     "old", "failed"),
    ("before", "committing", "old", "discarded",              1, "old", "failed",     "old", "failed"),
    ("after",  "committing", "old", "discarded",              1, "old", "failed",     "old", "failed"),
    ("during", "publishing", "old", "discarded",              1, "old", "failed",     "old", "failed"),
    ("during", "published",  "new", "attested",               7, "new", "committing", "new", "attested"),
    ("before", "committed",  "new", "attested",               7, "new", "committing", "new", "attested"),
    ("after",  "committed",  "new", "attested",               7, "new", "committed",  "new", "attested"),
    ("before", "attested",   "new", "attested",               7, "new", "committed",  "new", "attested"),
    ("after",  "attested",   "new", "attested",               0, "new", "attested",   "new", "attested"),
]
# No different from a run in place (states.py): with VMPATCH_LONG only.
EARLY = ("planned", "leased")
# Left by a process that was killed there; `recover` is killed at that point; then recover ends it.
RECOVER = [
    ("after:verified",    "before:discarded", "old", "discarded"),
    ("after:verified",    "after:discarded",  "old", "discarded"),
    ("during:publishing", "before:discarded", "old", "discarded"),
    ("during:publishing", "after:discarded",  "old", "discarded"),
    ("during:published",  "before:committed", "new", "attested"),
    ("during:published",  "after:committed",  "new", "attested"),
    ("during:published",  "before:attested",  "new", "attested"),
    ("after:committed",   "after:attested",   "new", "attested"),
]


class Template(libvirt_host.Host):
    """web01, and a clone of it that libvirt knows."""

    def __init__(self, kind):
        super().__init__(kind)
        self.clone = self.path("images/clone.qcow2")
        disk = self.disks[0]
        s.must("qemu-img", "create", "-q", "-f", "qcow2", "-F", disk.format, "-b", disk.path, self.clone)
        self.define_xml(libvirt_host.domain("clone", CLONE, self.clone, "qcow2"))
        self.old = disk.path
        self.new = os.path.join(self.images, f"vda.v2.{disk.format}")
        self.pristine = self.content(self.old)
        self.keep()
        self.apply()
        self.patched = self.content(self.new)
        if self.pristine == self.patched:
            raise s.Failed("the patch changes nothing; the table proves nothing")
        self.rollback()
        self.back = self.last_run("apply")["id"]
        self.put_back()

    def define_xml(self, text):
        with open(self.path("some.xml"), "w", encoding="utf-8") as out:
            out.write(text)
        s.must("virsh", "-q", "-c", self.uri, "define", self.path("some.xml"))

    def named(self):
        """The file that the machine has now."""
        return self.virsh("domblklist", self.name).stdout.split()[-1]

    def clone_of(self, path):
        """Made when it is first asked for; put_back() takes it away."""
        clone = os.path.join(self.images, "second-clone.qcow2")
        if not os.path.exists(clone):
            s.must("qemu-img", "create", "-q", "-f", "qcow2", "-F", self.disks[0].format, "-b", path, clone)
        return clone

    def daemon(self):
        """The libvirtd of our own."""
        with open(os.path.join(self.libvirt, "libvirtd.pid"), encoding="utf-8") as pid:
            return int(pid.read())

    def content(self, path):
        whole = self.path("whole.raw")
        s.must_when_free("qemu-img", "convert", "-f", self.disks[0].format, "-O", "raw", path, whole)
        with open(whole, "rb") as data:
            return s.hashlib.sha256(data.read()).hexdigest()

    def files(self):
        """Beside the machine's own, without what the stage keeps."""
        return sorted(p for p in glob.glob(os.path.join(self.images, "*")) + glob.glob(os.path.join(self.images, ".*"))
                      if not p.endswith(".kept") and p not in (self.old, self.clone, self.disks[0].backing))

    def put_back(self):
        super().put_back()
        for path in self.files():
            os.unlink(path)
        self.define()

    def ready_for(self, verb):
        self.put_back()
        if verb == "rollback":
            self.apply()
        self.earlier = {run["id"] for run in self.runs()}
        self.verb = verb

    def act(self, code, **extra):
        return self.apply(code=code, **extra) if self.verb == "apply" else self.rollback(code=code, **extra)

    def check(self, files, run):
        after = (files == "new") == (self.verb == "apply")
        s.expect("the machine's file", self.new if after else self.old, self.named())
        s.expect("content of the old file", self.pristine, self.content(self.old))
        # What a rollback takes away stays as a file.
        there = [self.new] if after or self.verb == "rollback" else []
        s.expect("new files", there, self.files())
        if there:
            s.expect("content of the new file", self.patched, self.content(self.new))
        last = self.last_run()
        state = last["state"] if last["kind"] == self.verb and last["id"] not in self.earlier else "none"
        s.expect("state of the run", run, state)

    def recovered(self, files, run):
        self.run("recover")
        self.check(files, run)
        self.nothing_left()
        s.expect("a second recover", "no interrupted run\n", self.run("recover"))
        self.run("audit", "verify")
        s.expect("undo folders", [], self.undo_folders())
        if run == "attested":
            s.expect("attested", ["patch1 1 delivered"] if self.verb == "apply" else [], self.attested())


def table(host):
    for verb in ("apply", "rollback"):
        for when, state, files, run, code, at_once, run_at_once, later, run_later in TABLE:
            point = f"{when}:{state}"
            if (verb == "rollback" and state == "publishing") or (state in EARLY and not os.environ.get("VMPATCH_LONG")):
                continue
            yield f"{verb} killed {point}: {files}, {run}"
            host.ready_for(verb)
            host.act(-9, VMPATCH_CRASH_AT=point)
            host.recovered(files, run)
            yield f"{verb} with an error {point}: {at_once}, {run_at_once}"
            host.ready_for(verb)
            host.act(code, VMPATCH_ERROR_AT=point)
            if run_at_once not in ("committing", "committed"):
                host.check(at_once, run_at_once)
            host.recovered(later, run_later)
    for left, point, files, run in RECOVER:
        yield f"apply killed {left}, recover killed {point}: {files}, {run}"
        host.ready_for("apply")
        host.act(-9, VMPATCH_CRASH_AT=left)
        host.run("recover", code=-9, VMPATCH_CRASH_AT=point)
        host.recovered(files, run)


def around(host):
    yield "a clone that runs goes on, and starts again, while its template is published"
    host.ready_for("apply")
    s.must("virsh", "-q", "-c", host.uri, "start", "clone")
    host.apply()
    s.expect("the clone", "running", host.virsh("domstate", "clone").stdout.strip())
    s.must("virsh", "-q", "-c", host.uri, "destroy", "clone")
    s.must("virsh", "-q", "-c", host.uri, "start", "clone")
    s.must("virsh", "-q", "-c", host.uri, "destroy", "clone")
    host.check("new", "attested")

    yield "the template cannot be started while it is published"
    host.ready_for("apply")
    host.apply(VMPATCH_AT_TRANSITION=f"sh -c 'case $0 in after:staged|during:publishing) ! virsh -q -c {host.uri} start web01;; esac' ")
    host.check("new", "attested")

    yield "what the rest of its definition says, stays: title, metadata, password of its screen"
    host.ready_for("apply")
    extra = ("<title>A template</title><metadata><x:own xmlns:x='https://example.org/own' mark='1'/></metadata>")
    text = libvirt_host.domain("web01", s.UUID + "1", host.old, host.disks[0].format)
    text = text.replace("<memory", extra + "<memory").replace("</devices>", "<graphics type='vnc' passwd='secret1'/></devices>")
    host.define_xml(text)
    host.apply()
    now = host.virsh("dumpxml", "--inactive", "--security-info", "web01").stdout
    for part in ("<title>A template</title>", "mark=", "passwd='secret1'", host.new):
        if part not in now:
            raise s.Failed(f"{part} is not in {now}")

    yield "killed while it publishes, and its machine gets another disk meanwhile: nothing is removed, and that is told"
    host.ready_for("apply")
    host.act(-9, VMPATCH_CRASH_AT="during:publishing")
    other = host.path("images/other." + host.disks[0].format)
    shutil.copyfile(host.old, other)
    host.define_xml(libvirt_host.domain("web01", s.UUID + "1", other, host.disks[0].format))
    told = host.run("recover")
    if "neither its old files nor the new ones" not in told:
        raise s.Failed(told)
    s.expect("its file", other, host.named())
    s.expect("content of the new file", host.patched, host.content(host.new))
    s.expect("a second recover", "no interrupted run\n", host.run("recover"))

    yield "killed after it was published, and the template runs: recovery waits, then attests what holds"
    host.ready_for("apply")
    host.act(-9, VMPATCH_CRASH_AT="during:published")
    s.must("virsh", "-q", "-c", host.uri, "start", "web01")
    host.run("recover", code=7)
    s.expect("state of the run", "committing", host.last_run()["state"])
    s.must("virsh", "-q", "-c", host.uri, "destroy", "web01")
    host.run("recover")
    s.expect("state of the run", "attested", host.last_run()["state"])

    yield "another file has the new version's name: refused, nothing is lost"
    host.ready_for("apply")
    host.run("apply", "-d", "web01", "-r", host.path("patch1.vmpatch"), "--yes", code=4, VMPATCH_AT_TRANSITION=f"sh -c 'case $0 in after:committing) echo mine >{host.new};; esac'")
    with open(host.new, encoding="utf-8") as there:
        s.expect("that file", "mine\n", there.read())
    s.expect("its file", host.old, host.named())
    s.expect("new files", [host.new], host.files())

    yield "rolled back twice: the patched version is there again"
    host.ready_for("rollback")
    host.act(0)
    host.check("new", "attested")
    host.run("rollback", host.last_run("rollback")["id"])
    s.expect("the machine's file", host.new, host.named())
    s.expect("attested", ["patch1 1 delivered"], host.attested())

    yield "the old version was written to since: it comes back, and nothing is attested of it"
    host.ready_for("rollback")
    host.virsh("undefine", "clone")
    os.rename(host.clone, host.path("clone.away"))
    host.guest_writes(host.disks[0], 0x5A, s.ROOM + (1 << 20), 65536)
    host.act(0)
    s.expect("the machine's file", host.old, host.named())
    s.expect("attested", [], host.attested())
    os.rename(host.path("clone.away"), host.clone)
    host.define_xml(libvirt_host.domain("clone", CLONE, host.clone, "qcow2"))

    yield "what held before is attested again on the version of before, and not where that was changed"
    host.put_back()
    motd = host.make_file_bundle("issue", "/etc/issue", "hello")
    host.apply_bundle(motd)
    first = host.named()
    host.define_xml(libvirt_host.domain("clone", CLONE, host.clone_of(first), "qcow2"))
    host.apply()
    s.expect("attested", ["issue 1 delivered", "patch1 1 delivered"], sorted(host.attested()))
    # As libvirt does while the clone runs.
    os.chown(first, 1, 1)
    os.chown(first, 0, 0)
    host.rollback()
    s.expect("the machine's file", first, host.named())
    s.expect("attested", ["issue 1 delivered"], host.attested())
    host.run("rollback", host.last_run("rollback")["id"])
    host.virsh("undefine", "clone")
    os.unlink(host.clone_of(first))
    s.must("qemu-io", "-f", host.disks[0].format, "-c", "write -P 9 16M 64k", first)
    host.rollback()
    s.expect("the machine's file", first, host.named())
    s.expect("attested", [], host.attested())
    host.define_xml(libvirt_host.domain("clone", CLONE, host.clone, "qcow2"))

    yield "its new file is another one, or was written to, before it is attested: nothing is attested of it"
    for point, act in (("during:publishing", f"cp {host.old} {host.new}.x && mv {host.new}.x {host.new}"),
                       ("during:published", f"cp {host.old} {host.new}.x && mv {host.new}.x {host.new}")):
        host.ready_for("apply")
        host.act(7, VMPATCH_AT_TRANSITION=f"sh -c 'case $0 in {point}) {act};; esac'")
        host.run("recover")
        s.expect("state of the run", "attested", host.last_run()["state"])
        s.expect("attested", [], host.attested())
    host.ready_for("apply")
    host.act(0, VMPATCH_AT_TRANSITION=f"sh -c 'case $0 in during:published) ! qemu-io -f {host.disks[0].format} -c \"write -P 9 16M 64k\" {host.new} >/dev/null 2>&1 &&"
                                      f" ! virsh -q -c {host.uri} start web01 2>/dev/null;; esac'")
    s.expect("content of the new file", host.patched, host.content(host.new))

    if os.environ.get("VMPATCH_LONG"):  # a minute of waiting
        yield "libvirt does not answer for so long that it is given up: it is not asked any more, and no machine gets a file that is gone"
        host.ready_for("apply")
        pid = host.daemon()
        host.act((1, 4, 7), VMPATCH_AT_TRANSITION=f"sh -c 'case $0 in during:publishing) kill -STOP {pid}; (sleep 70; kill -CONT {pid}) & ;; esac'")
        s.must("kill", "-CONT", str(pid))
        host.run("recover", code=(0, 7))
        if not os.path.exists(host.named()):
            raise s.Failed(f"the machine has {host.named()}, which is gone")

    yield "a disk that is a volume of a pool gets a volume of it"
    host.ready_for("apply")
    s.must("virsh", "-q", "-c", host.uri, "pool-create-as", "images", "dir", "--target", host.images)
    text = libvirt_host.domain("web01", s.UUID + "1", host.old, host.disks[0].format)
    by_volume = f"<source pool='images' volume='{os.path.basename(host.old)}'/>"
    host.define_xml(text.replace("type='file'", "type='volume'", 1).replace(f"<source file='{host.old}'/>", by_volume))
    host.apply()
    s.expect("its volume", os.path.basename(host.new), host.named())
    s.expect("content of the new file", host.patched, host.content(host.new))
    host.rollback()
    s.expect("its volume", os.path.basename(host.old), host.named())
    host.virsh("pool-destroy", "images")

    yield "a file system without room for a new version: refused before anything is made, and done when the configuration keeps less"
    host.put_back()
    small, disk, mount = host.path("small"), host.path("small.img"), host.disks[0].format
    os.mkdir(small)
    with open(disk, "wb") as out:
        out.truncate(120 << 20)
    s.must("mkfs.ext4", "-q", "-F", disk)
    s.must("mount", "-o", "loop", disk, small)
    try:
        base = os.path.join(small, "base." + mount)
        shutil.copyfile(host.old, base)
        s.must("qemu-img", "create", "-q", "-f", "qcow2", "-F", mount, "-b", base, os.path.join(small, "clone.qcow2"))
        host.define_xml(libvirt_host.domain("web01", s.UUID + "1", base, mount))
        told = host.apply(code=4)
        if "space_reserve" not in told or small not in told:
            raise s.Failed(told)
        s.expect("what lies there", ["base." + mount, "clone.qcow2", "lost+found"], sorted(os.listdir(small)))
        with open(host.path("vm-patch.yaml"), "w", encoding="utf-8") as out:
            out.write("schema: vm-patch/config/v1\nspace_reserve: 16MiB\n")
        host.apply()
        s.expect("its file", os.path.join(small, "base.v2." + mount), host.named())
    finally:
        with open(host.path("vm-patch.yaml"), "w", encoding="utf-8"):
            pass
        host.put_back()
        s.must_when_free("umount", small)

    yield "its older version is a disk of another machine now: refused before anything is changed"
    host.ready_for("rollback")
    host.define_xml(libvirt_host.domain("tester", s.UUID + "3", host.old, host.disks[0].format))
    told = host.act(4)
    host.virsh("undefine", "tester")
    s.expect("the machine's file", host.new, host.named())
    if "tester" not in told:
        raise s.Failed(told)

    yield "what a machine is just given cannot be pruned"
    host.ready_for("rollback")
    host.act(0)
    back = host.last_run("rollback")["id"]
    prune = " ".join(host.command("template", "prune", "--keep", "0", "--yes"))
    host.run("rollback", back, VMPATCH_AT_TRANSITION=f"sh -c 'case $0 in before:committing) ! env -u VMPATCH_AT_TRANSITION {prune} >/dev/null 2>&1;; esac'")
    s.expect("the machine's file", host.new, host.named())
    s.expect("content of the new file", host.patched, host.content(host.new))

    yield "somebody else's file has the name of what was to be published: an interrupted run ends all the same"
    host.ready_for("apply")
    host.act(-9, VMPATCH_CRASH_AT="after:committing")
    with open(host.new, "w", encoding="utf-8") as out:
        out.write("mine\n")
    host.run("recover")
    s.expect("state of the run", "discarded", host.last_run()["state"])
    with open(host.new, encoding="utf-8") as there:
        s.expect("that file", "mine\n", there.read())

    yield "its files are gone for good: an operator ends the run"
    host.ready_for("apply")
    host.act(-9, VMPATCH_CRASH_AT="during:publishing")
    run = host.last_run()["id"]
    host.virsh("undefine", "web01")
    os.unlink(host.new)
    os.rename(host.old, host.old + ".away")
    host.run("recover", code=7)
    host.run("recover", run, code=(0, 3, 7))
    host.run("recover", run, "--to", "keep", "--yes")
    s.expect("state of the run", "discarded", host.last_run()["state"])
    os.rename(host.old + ".away", host.old)

    yield "the old version is gone: refused, with its name"
    host.ready_for("rollback")
    os.rename(host.old, host.old + ".away")
    told = host.act((1, 4))
    os.rename(host.old + ".away", host.old)
    if os.path.basename(host.old) not in told:
        raise s.Failed(told)
    s.expect("the machine's file", host.new, host.named())


def main():
    count = 0
    for kind in ("raw", "qcow2", "chain") if os.environ.get("VMPATCH_LONG") else ("qcow2",):
        with Template(kind) as host:
            for rows in (table(host), around(host)):
                for title in rows:
                    count += 1
                    print(f"{kind}: {title}", flush=True)
    print(f"{count} rows")


if __name__ == "__main__":
    try:
        main()
    except s.Failed as failure:
        sys.exit(f"FAILED: {failure}")
