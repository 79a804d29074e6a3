"""A situation of the table as files: for vm-patch-apt, and for the guest's own apt, which finds them where a guest has them.

A package is written in one line: "name[:arch] version; Field: value; ...". Without an architecture it is the guest's own. "auto" among the
fields means that it was installed for another one. "Digest: x" makes a file of its own of the same name and version.
"""
import fnmatch
import hashlib
import json
import os
import pathlib

NATIVE = "amd64"
DEFAULTS = {"Origin": "Debian", "Label": "Debian", "Version": "12"}
# Name in the table: host, suite in sources.list, fields of its Release file.
REPOSITORIES = {
    "main": ("archive.test/debian", "bookworm", {"Suite": "oldstable", "Codename": "bookworm"}),
    "updates": ("archive.test/debian", "bookworm-updates", {"Suite": "oldstable-updates", "Codename": "bookworm-updates"}),
    "backports": ("archive.test/debian", "bookworm-backports", {"Suite": "oldstable-backports", "Codename": "bookworm-backports",
                                                                "NotAutomatic": "yes", "ButAutomaticUpgrades": "yes"}),
    "experimental": ("archive.test/debian", "experimental", {"Suite": "experimental", "Codename": "rc-buggy", "NotAutomatic": "yes"}),
    "vendor": ("vendor.test/apt", "stable", {"Origin": "Vendor", "Label": "Vendor", "Suite": "stable", "Codename": "stable"}),
    "security": ("security.test/debian-security", "bookworm-security", {"Label": "Debian-Security", "Suite": "oldstable-security",
                                                                        "Codename": "bookworm-security"}),
}


class Package:
    def __init__(self, line):
        head, *rest = [part.strip() for part in line.split(";")]
        name, self.version = head.split(" ", 1)
        self.name, _, arch = name.partition(":")
        self.arch = arch or NATIVE
        self.auto = "auto" in rest
        self.fields = dict(part.split(": ", 1) for part in rest if part != "auto")
        self.digest = self.fields.pop("Digest", "")

    @property
    def home(self):
        """Where it is filed: of "all" under the guest's own architecture."""
        return NATIVE if self.arch == "all" else self.arch

    @property
    def file(self):
        return f"pool/{self.name}_{self.version.replace(':', '-')}_{self.arch}{self.digest}.deb"

    @property
    def sha256(self):
        return hashlib.sha256(self.file.encode()).hexdigest()

    @property
    def size(self):
        return 1000 + int(self.sha256[:4], 16)

    def stanza(self, **more):
        fields = {"Package": self.name, "Version": self.version, "Architecture": self.arch, "Maintainer": "Nobody <nobody@example.org>",
                  "Installed-Size": "10", "Description": "a package of the table", **more, **self.fields}
        return "".join(f"{key}: {value}\n" for key, value in fields.items()) + "\n"


class Repository:
    def __init__(self, key, lines, release):
        host, self.suite, fields = REPOSITORIES[key]
        self.key = key
        self.uri = f"http://{host}/"
        self.packages = [Package(line) for line in lines]
        self.release = {**DEFAULTS, **fields, "Date": "Sat, 01 Nov 2025 10:00:00 UTC", "Components": "main", **release}

    def release_text(self):
        return "".join(f"{key}: {value}\n" for key, value in self.release.items())

    def packages_text(self, arch):
        return "".join(package.stanza(Filename=package.file, Size=package.size, SHA256=package.sha256)
                       for package in self.packages if package.arch in (arch, "all"))


class Guest:
    """One row. `mark` is a file that nothing may make."""

    def __init__(self, row, mark):
        self.row = row
        self.architectures = [NATIVE, *row.get("foreign", [])]
        self.installed = [Package(line) for line in row["installed"]]
        self.repositories = [Repository(key, row[key], row.get("release", {}).get(key, {})) for key in REPOSITORIES if key in row]
        self.mark = mark

    def lines(self, lines):
        return "".join(line.replace("{mark}", str(self.mark)) + "\n" for line in lines)

    def text(self, key):
        return self.lines(self.row.get(key, []))

    def status(self):
        if "status" in self.row:
            return "".join(line.replace("{long}", "y" * (2 << 20)) + "\n" for line in self.row["status"]).encode()
        return "".join(package.stanza(Status=package.fields.get("Status", "install ok installed")) for package in self.installed).encode()

    def extended_states(self):
        return "".join(f"Package: {package.name}\nArchitecture: {package.home}\nAuto-Installed: 1\n\n"
                       for package in self.installed if package.auto)

    def guest_files(self):
        return {"extended_states": self.extended_states(), "preferences": self.text("preferences"), "apt.conf": self.text("conf"),
                "machine-id": self.text("machine_id"), **self.more_files()}

    def more_files(self):
        return {name: self.lines(lines) for name, lines in self.row.get("files", {}).items()}

    def request(self, lists):
        """What vm-patch asks of vm-patch-apt, with the verified lists in that folder."""
        sources = []
        for repository in self.repositories:
            folder = lists / f"{repository.key}.test"
            write(folder / "Release", repository.release_text())
            indexes = {}
            for arch in self.architectures:
                write(folder / f"main_binary-{arch}_Packages", repository.packages_text(arch))
                indexes[f"main/binary-{arch}/Packages"] = str(folder / f"main_binary-{arch}_Packages")
            sources.append({"uri": repository.uri, "suite": repository.suite, "components": ["main"], "release": str(folder / "Release"),
                            "indexes": indexes, "security": repository.key == "security"})
        return json.dumps({"architectures": self.architectures, "sources": sources, "mode": self.row.get("mode", "all"),
                           "exclude": self.row.get("exclude", [])})

    def write_for_vm_patch(self, folder):
        os.makedirs(folder)
        for name, text in {"status": self.status(), **self.guest_files()}.items():
            if (text or name == "status") and name not in self.row.get("missing", []):
                write(folder / name, text)

    def write_for_apt(self, root, more_preferences=""):
        """The same where a guest has it, below root; what is excluded is held there."""
        for package in self.installed:
            if any(fnmatch.fnmatchcase(package.name, pattern) for pattern in self.row.get("exclude", [])):
                package.fields["Status"] = "hold ok installed"
        files = self.guest_files()
        lists = root / "var/lib/apt/lists"
        lines = []
        for repository in self.repositories:
            lines.append(f"deb [trusted=yes] {repository.uri} {repository.suite} main\n")
            prefix = f"{repository.uri[7:].replace('/', '_')}dists_{repository.suite}_"
            write(lists / f"{prefix}Release", repository.release_text())
            for arch in self.architectures:
                write(lists / f"{prefix}main_binary-{arch}_Packages", repository.packages_text(arch))
        write(root / "etc/apt/sources.list", "".join(lines))
        # What the machine itself demands comes first in apt.
        write(root / "etc/apt/preferences", more_preferences + files["preferences"])
        write(root / "etc/apt/apt.conf", self.text("apt_conf") if "apt_conf" in self.row else files["apt.conf"])
        for name, text in self.more_files().items():
            write(root / "etc/apt" / name, text)
        write(root / "etc/machine-id", files["machine-id"])
        write(root / "var/lib/dpkg/status", self.status())
        write(root / "var/lib/apt/extended_states", files["extended_states"])


def write(path, content):
    path = pathlib.Path(path)
    os.makedirs(path.parent, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
