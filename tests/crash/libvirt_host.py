"""A stage whose machine is one of a libvirtd of our own, with real QEMUs."""

import os
import shutil
import subprocess
import tempfile

import stage as s

LIBVIRTD = os.path.join(os.environ["VMPATCH_SOURCE_DIR"], "tests/support/private-libvirtd.sh")
GATE = os.path.join(os.path.dirname(s.CRASH), "../../bin/vm-patch-gate")


def domain(name, uuid, disk, disk_format):
    kind, attribute = ("block", "dev") if disk.startswith("/dev/") else ("file", "file")
    return (f"<domain type='qemu'><name>{name}</name><uuid>{uuid}</uuid><memory unit='MiB'>32</memory><vcpu>1</vcpu>"
            "<os><type>hvm</type></os><on_poweroff>destroy</on_poweroff>"
            f"<devices><disk type='{kind}' device='disk'><driver name='qemu' type='{disk_format}'/><source {attribute}='{disk}'/>"
            "<target dev='vda' bus='virtio'/></disk></devices></domain>")


class Host(s.Stage):
    """`own_dev`: as libvirt's default is, each QEMU has a /dev of its own, so that image locks on a block device tell nothing."""

    def __init__(self, kind="raw", own_dev=False):
        self.libvirt = tempfile.mkdtemp(prefix="vmp-host.", dir="/tmp")
        environment = {**os.environ, "PRIVATE_LIBVIRTD_NAMESPACES": "mount" if own_dev else ""}
        done = subprocess.run([LIBVIRTD, "start", self.libvirt], env=environment, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise s.Failed("no libvirtd of our own")
        self.uri = done.stdout.strip().splitlines()[-1]
        super().__init__(kind)

    def define(self, uuid=s.UUID + "1", name="web01", state=5):
        with open(self.path("machine.xml"), "w", encoding="utf-8") as out:
            out.write(domain(name, uuid, self.disks[0].path, self.disks[0].format))
        s.must("virsh", "-q", "-c", self.uri, "define", self.path("machine.xml"))
        self.name = name

    def guard(self):
        """Installs the gate as this libvirtd's hook."""
        words = ["--state-dir", self.state, "--config", self.path("vm-patch.yaml"), "-c", "qemu:///system"]
        s.must(LIBVIRTD, "exec", self.libvirt, s.CRASH, *words, "gate", "install", "--program", os.path.realpath(GATE))
        s.must(LIBVIRTD, "reload", self.libvirt)

    def command(self, *words):
        found = super().command(*words)
        found[found.index("-c") + 1] = self.uri
        return found

    def virsh(self, *words):
        return subprocess.run(["virsh", "-q", "-c", self.uri, *words], capture_output=True, text=True, check=False)

    def domstate(self):
        return self.virsh("domstate", self.name).stdout.strip()

    def close(self):
        s.must(LIBVIRTD, "stop", self.libvirt)
        shutil.rmtree(self.libvirt)
        super().close()
