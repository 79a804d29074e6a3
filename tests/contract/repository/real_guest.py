#!/usr/bin/env python3
"""The same for the test guest "outdated", with the package lists of this machine's apt. VMPATCH_APT: the program."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import apt_situations
import guests_apt
import made_guest


class Repository:
    """A suite of which this machine's apt has lists."""

    def __init__(self, uri, suite):
        self.uri, self.suite, self.indexes = uri, suite, {}
        self.prefix = f"{uri.split('://')[1].replace('/', '_')}dists_{suite}_"

    @property
    def release(self):
        return pathlib.Path(next(iter(self.indexes.values()))).parent / f"{self.prefix}InRelease"


class RealGuest:
    architectures = [made_guest.NATIVE]

    def __init__(self):
        listed = subprocess.run([os.environ["VMPATCH_SOURCE_DIR"] + "/testimages/build", "debian-12-outdated", "--list"], check=True, capture_output=True,
                                text=True).stdout
        self.status = dict(line.split("=", 1) for line in listed.splitlines())["status"]
        targets = subprocess.run(["apt-get", "indextargets", "--format", "$(METAKEY) $(REPO_URI) $(RELEASE) $(FILENAME)", "Created-By: Packages",
                                  "Component: main", f"Architecture: {made_guest.NATIVE}"], check=True, capture_output=True, text=True).stdout
        found = {}
        for line in targets.splitlines():
            key, uri, suite, file = line.split(" ")
            if suite.startswith("bookworm"):
                found.setdefault((uri, suite), Repository(uri, suite)).indexes[key] = file
        self.repositories = list(found.values())

    def request(self, mode):
        return json.dumps({"architectures": self.architectures, "mode": mode, "exclude": [], "sources": [
            {"uri": r.uri, "suite": r.suite, "components": ["main"], "release": str(r.release), "indexes": r.indexes, "security": "security" in r.suite}
            for r in self.repositories]})

    def write_for_apt(self, root, preferences):
        text = "".join(f"deb [trusted=yes] {r.uri} {r.suite} main\n" for r in self.repositories)
        made_guest.write(root / "etc/apt/sources.list", text)
        made_guest.write(root / "etc/apt/preferences", preferences)
        made_guest.write(root / "var/lib/dpkg/status", pathlib.Path(self.status).read_bytes())
        os.makedirs(root / "var/lib/apt/lists")
        for repository in self.repositories:
            for file in [repository.release, *map(pathlib.Path, repository.indexes.values())]:
                (root / "var/lib/apt/lists" / file.name).symlink_to(file)


def try_mode(guest, mode):
    check = apt_situations.Comparison()
    with tempfile.TemporaryDirectory(prefix="vm-patch-real-guest-") as name:
        folder = pathlib.Path(name)
        made_guest.write(folder / "guest/status", pathlib.Path(guest.status).read_bytes())
        code, out, message = apt_situations.resolve(folder / "guest", guest.request(mode))
        if code != 0:
            return [f"exit code {code}, {message}"]
        answer = json.loads(out)
        check.same("something changes", bool(answer["changes"]), True)
        guest.write_for_apt(folder / "root", apt_situations.SECURITY_ONLY if mode == "security" else "")
        apt_situations.compare_with_apt(check, answer, folder / "root", guest, apt_situations.COMMANDS[mode])
        print(f"{mode}: {len(answer['changes'])} changes, {len(answer['operations'])} operations, {len(answer['kept'])} kept")
    return check.differences


def main():
    guest = RealGuest()
    if len(guest.repositories) < 2:
        print("this machine's apt has no package lists of bookworm and its updates: run apt-get update")
        return 1
    differences = [f"{mode}: {difference}" for mode in ("all", "security") for difference in try_mode(guest, mode)]
    print("\n".join(differences))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
