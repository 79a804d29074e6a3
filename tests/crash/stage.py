"""Machines that are patched in a second: real block servers, overlays, commits and ledger, with a guest that is one JSON text at
the start of its disk (tests/support/text_guest.hpp). What lies above the guest is vm-patch-crash, which can die or fail at any
transition of a run."""

import hashlib
import inspect
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

CRASH = os.environ["VMPATCH_CRASH"]
ROOM = 1 << 20  # of the text
KINDS = ("raw", "qcow2", "chain", "device", "two")
UUID = "5a1d3c1e-0000-4000-8000-00000000000"


class Failed(Exception):
    pass


def run_cases(names):
    """Every function of a script (its globals) that takes nothing and whose name is a sentence; with an argument those that have it in
    their name."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    cases = [value for name, value in names.items() if inspect.isfunction(value) and value.__module__ == "__main__"
             and name.count("_") > 2 and value.__code__.co_argcount == 0 and wanted in name]
    try:
        for case in cases:
            print(case.__name__.replace("_", " "), flush=True)
            case()
        if not cases:
            raise Failed("no case has such a name")
    except Failed as failure:
        sys.exit(f"FAILED: {failure}")
    print(f"{len(cases)} cases")


def how_many(few, many):
    """From the command line, or by VMPATCH_LONG; and the dice of a seed, which is told so that it can be thrown again."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else many if os.environ.get("VMPATCH_LONG") else few
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30)
    print(f"{count} times, seed {seed}", flush=True)
    return count, random.Random(seed)


def must(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(argv)}: exit code {done.returncode}: {done.stdout}")
    return done.stdout


def expect(what, wanted, got):
    if wanted != got:
        raise Failed(f"{what}: expected {wanted!r}, got {got!r}")


def must_when_free(*argv):
    """The QEMU of a killed process ends a moment after it, and so does a loop device after its file system."""
    for _ in range(100):
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode == 0 or not ("lock" in done.stdout or "busy" in done.stdout):
            break
        time.sleep(0.1)
    if done.returncode != 0:
        raise Failed(f"{' '.join(argv)}: exit code {done.returncode}: {done.stdout}")


def replace(source, target):
    """The same content, or none where there is none."""
    if os.path.exists(source):
        shutil.copyfile(source, target)
    elif os.path.exists(target):
        os.unlink(target)


def noise(seed, mib):
    dice = random.Random(seed)
    return b"".join(dice.randbytes(1 << 20) for _ in range(mib))


class Disk:
    """One image of a machine, below its folder."""

    def __init__(self, folder, target, layout, mib):
        self.folder, self.target, self.layout, self.mib = folder, target, layout, mib
        self.format = "qcow2" if layout in ("qcow2", "chain") else "raw"
        self.file = os.path.join(folder, f"{target}.{self.format}")
        self.path = self.file
        self.loop = None
        self.backing = os.path.join(folder, f"{target}.backing.raw") if layout == "chain" else None

    def make(self, content):
        raw = self.backing or (self.file if self.format == "raw" else os.path.join(self.folder, "whole.raw"))
        with open(raw, "wb") as out:
            out.write(content)
            out.truncate(self.mib << 20)
        if self.layout == "qcow2":
            must("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, self.file)
            os.unlink(raw)
        if self.layout == "chain":
            must("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", raw, self.file)
            must("qemu-io", "-f", "qcow2", "-c", f"write -P 90 {self.mib - 2}M 1M", self.file)
        if self.layout == "device":
            self.attach()

    def attach(self):
        self.loop = must("losetup", "--find", "--show", self.file).strip()
        self.path = self.loop

    def detach(self):
        if self.loop:
            must("losetup", "--detach", self.loop)
            self.loop = None

    def digest(self, in_use=False):
        """Of what the guest sees, once nobody writes it any more, or of a raw file that is in use."""
        if not in_use:
            must_when_free("qemu-img", "info", "-f", self.format, self.path)
        if self.loop:
            must("blockdev", "--flushbufs", self.loop)
        if self.format == "raw":
            with open(self.file, "rb") as data:
                return hashlib.file_digest(data, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else hashlib.sha256(data.read()).hexdigest()
        whole = os.path.join(self.folder, "whole.raw")
        must("qemu-img", "convert", "-f", self.format, "-O", "raw", self.path, whole)
        with open(whole, "rb") as data:
            found = hashlib.sha256(data.read()).hexdigest()
        os.unlink(whole)
        return found

    def keep(self):
        shutil.copyfile(self.file, self.file + ".kept")

    def put_back(self):
        """The same file, so that it stays the disk that it was."""
        with open(self.file + ".kept", "rb") as kept, open(self.file, "r+b") as now:
            now.truncate(0)
            shutil.copyfileobj(kept, now)
        if self.loop:
            must("blockdev", "--flushbufs", self.loop)

    def sound(self):
        if self.format != "qcow2":
            return
        done = subprocess.run(["qemu-img", "check", "-f", "qcow2", self.path], capture_output=True, text=True, check=False)
        if done.returncode not in (0, 3):  # 3: leaked clusters only
            raise Failed(f"qemu-img check of {self.path}: {done.stdout}{done.stderr}")


class Stage:
    """One machine of a kind, its state folder, and two bundles that change it. The rest of a disk beyond `data` MiB is a hole."""

    def __init__(self, kind, mib=24, ballast=8, data=None, beside=""):
        """`beside`: content of a file that lies where no run writes."""
        self.kind = kind
        self.work = tempfile.mkdtemp(prefix=f"vm-patch-stage-{kind}.", dir="/var/tmp")
        os.chmod(self.work, 0o755)
        self.state = os.path.join(self.work, "state")
        self.images = os.path.join(self.work, "images")
        os.mkdir(self.images)
        first = {"two": "raw"}.get(kind, kind)
        self.disks = [Disk(self.images, "vda", first, mib)]
        if kind == "two":
            self.disks.append(Disk(self.images, "vdb", "qcow2", 8))
        self.ballast = ballast
        self.beside = ((mib << 20) - (1 << 20), beside.encode()) if beside else None
        for disk in self.disks:
            head = self.text() if disk.target == "vda" else noise(3, 1)
            body = head + noise(1, data or disk.mib - 2)
            if self.beside and disk.target == "vda":
                body = body.ljust(self.beside[0], b"\0")[:self.beside[0]] + self.beside[1]
            disk.make(body)
        self.define()
        with open(os.path.join(self.work, "vm-patch.yaml"), "w", encoding="utf-8"):
            pass
        self.run("key", "generate", self.path("author"))
        self.run("key", "trust", self.path("author.pub"), "--role", "author")
        for version in (1, 2):
            self.make_bundle(f"patch{version}", seed=40 + version)

    def path(self, name):
        return os.path.join(self.work, name)

    def text(self):
        files = {"/etc/os-release": {"content": "ID=debian\nVERSION_ID=12\n", "mode": 0o644, "uid": 0, "gid": 0}}
        if self.beside:
            files["/etc/beside"] = {"at": self.beside[0], "length": len(self.beside[1]), "mode": 0o644, "uid": 0, "gid": 0}
        return json.dumps({"files": files}).encode().ljust(ROOM, b"\0")

    def define(self, uuid=UUID + "1", name="web01", state=5, saved=False):
        disks = "".join(
            f"<disk type='{'block' if disk.loop else 'file'}' device='disk'><driver name='qemu' type='{disk.format}'/>"
            f"<source {'dev' if disk.loop else 'file'}='{disk.path}'/><target dev='{disk.target}' bus='virtio'/></disk>"
            for disk in self.disks)
        with open(self.path("node.xml"), "w", encoding="utf-8") as out:
            out.write("<node><domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>"
                      f"<name>{name}</name><uuid>{uuid}</uuid><memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type></os>"
                      f"<devices>{disks}</devices><test:runstate>{state}</test:runstate>"
                      f"{'<test:hasmanagedsave/>' if saved else ''}</domain></node>")
        self.name = name

    def attestations(self):
        """The newest of each machine that has one."""
        return [m["attestation"] for m in json.loads(self.try_run("status", "--json").stdout)["machines"] if m["attestation"]]

    def attested(self):
        """What the newest attestation of the one machine names."""
        return [f"{r['id']} {r['version']} {r['proof']}" for r in self.attestations()[0]["satisfied"]]

    def key_id(self, name):
        return next(k["id"] for k in json.loads(self.run("key", "list", "--json"))["keys"] if k["name"] == name)

    def make_file_bundle(self, name, path, content, version=1, key="author", system="debian"):
        """A recipe of one file. By a key of its own it can be revoked alone."""
        if not os.path.exists(self.path(key)):
            self.run("key", "generate", self.path(key))
            self.run("key", "trust", self.path(key + ".pub"), "--role", "author")
        with open(self.path(name + ".yaml"), "w", encoding="utf-8") as out:
            out.write(f"schema: vm-patch/recipe/v1\nid: {name}\nversion: {version}\ntitle: One file\nissued: 2020-01-01\n"
                      f"applies_to: {{os: {{id: {system}}}}}\nsteps:\n  - file: {{path: {path}, content: \"{content}\"}}\n")
        bundle = self.path(f"{name}-{version}.vmpatch")
        self.run("recipe", "bundle", self.path(name + ".yaml"), "--key", self.path(key), "-o", bundle)
        return bundle

    def make_bundle(self, name, seed):
        with open(self.path(name + ".yaml"), "w", encoding="utf-8") as out:
            out.write(f"schema: vm-patch/recipe/v1\nid: {name}\nversion: 1\ntitle: Text and ballast\nissued: 2020-01-01\n"
                      "applies_to: {os: {id: debian}}\nsteps:\n"
                      f"  - file: {{path: /etc/motd, content: \"{name}\\n\", mode: \"0644\"}}\n"
                      f"  - file: {{path: /etc/ballast, content: \"{seed} {self.ballast}\\n\", mode: \"0644\"}}\n"
                      f"verify:\n  - file: {{path: /etc/motd, content: \"{name}\\n\"}}\n")
        self.run("recipe", "bundle", self.path(name + ".yaml"), "--key", self.path("author"), "-o", self.path(name + ".vmpatch"))

    # --- the program ---

    def command(self, *words):
        return [CRASH, "--state-dir", self.state, "--config", self.path("vm-patch.yaml"), "-c", "test://" + self.path("node.xml"), *words]

    def environment(self, **extra):
        return {**os.environ, "VMPATCH_GUEST": "text", "XDG_RUNTIME_DIR": self.work, **extra}

    def try_run(self, *words, **extra):
        return subprocess.run(self.command(*words), env=self.environment(**extra), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False)

    def start(self, *words, **extra):
        return subprocess.Popen(self.command(*words), env=self.environment(**extra), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    def run(self, *words, code=0, **extra):
        done = self.try_run(*words, **extra)
        codes = code if isinstance(code, tuple) else (code,)
        if done.returncode not in codes:
            raise Failed(f"vm-patch {' '.join(words)}: exit code {done.returncode} where {codes} was expected: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def apply(self, name="patch1", code=0, **extra):
        return self.run("apply", "-d", self.name, "-r", self.path(name + ".vmpatch"), "--yes", code=code, **extra)

    def apply_bundle(self, bundle):
        return self.run("apply", "-d", self.name, "-r", bundle, "--yes")

    def rollback(self, *options, run=None, code=0, **extra):
        return self.run("rollback", run or self.last_run("apply")["id"], *options, code=code, **extra)

    def runs(self):
        return json.loads(self.run("-q", "history", "--json", "--limit", "1000"))["runs"]

    def last_run(self, kind=None):
        runs = [run for run in self.runs() if kind in (None, run["kind"])]
        return runs[0] if runs else {"id": "", "state": "none", "kind": ""}

    # --- the disks ---

    def digests(self, in_use=False):
        return [disk.digest(in_use) for disk in self.disks]

    def keep(self):
        """From now on put_back() goes here: disks and ledger."""
        for disk in self.disks:
            disk.keep()
        shutil.rmtree(self.path("state.kept"), ignore_errors=True)
        shutil.copytree(self.state, self.path("state.kept"))
        replace(self.state + ".anchor", self.path("anchor.kept"))

    def put_back(self):
        for disk in self.disks:
            disk.put_back()
        shutil.rmtree(self.state)
        shutil.copytree(self.path("state.kept"), self.state)
        replace(self.path("anchor.kept"), self.state + ".anchor")

    def sound(self):
        for disk in self.disks:
            disk.sound()

    def guest_writes(self, disk, pattern, offset, length):
        """As a machine that runs does: by a QEMU that asks for the image's locks. False: it could not."""
        done = subprocess.run(["qemu-io", "-f", disk.format, "-c", f"write -P {pattern} {offset} {length}", "-c", "flush", disk.path],
                              capture_output=True, text=True, check=False)
        return done.returncode == 0

    def nothing_left(self):
        for folder in ("runs",):
            place = os.path.join(self.state, folder)
            left = os.listdir(place) if os.path.isdir(place) else []
            expect(f"left in {folder}", [], left)

    def undo_folders(self):
        place = os.path.join(self.state, "undo")
        return sorted(os.listdir(place)) if os.path.isdir(place) else []

    def close(self):
        for disk in self.disks:
            disk.detach()
        shutil.rmtree(self.work)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
