#!/usr/bin/env python3
"""What vm-patch-apt says is what the guest's own apt does, in every situation of situations.json, which its README explains.

Usage: apt_situations.py [WORDS ...]: the situations whose name has one of these, by default all. VMPATCH_APT: the program.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import guests_apt
import made_guest

HERE = pathlib.Path(__file__).parent
# Mode "security" in words of apt: what is installed moves to what the security repository has, what is new comes from anywhere.
SECURITY_ONLY = "".join(f"Package: *\nPin: release l={label}\nPin-Priority: {priority}\n\n"
                        for label, priority in (("Debian-Security", 500), ("Debian", 50), ("Vendor", 50)))
COMMANDS = {"all": ["dist-upgrade"], "security": ["--with-new-pkgs", "upgrade"]}


def resolve(folder, request):
    with tempfile.TemporaryFile() as file:
        file.write(request.encode())
        file.seek(0)
        result = subprocess.run([os.environ["VMPATCH_APT"], "resolve"], cwd=folder, stdin=file, capture_output=True, check=False)
    return result.returncode, result.stdout, result.stderr.decode(errors="replace").strip()


def words(change):
    """A change as the table writes it."""
    name = change["name"] if change["arch"] in ("all", made_guest.NATIVE) else f"{change['name']}:{change['arch']}"
    text = f"+{name} {change['to']}" if not change["from"] else f"-{name} {change['from']}" if not change["to"] else \
        f"{name} {change['from']} {change['to']}"
    text += "".join(f" {flag}" for flag in ("security", "downgrade", "essential") if change.get(flag))
    return text + (f" for {change['because']}" if change["because"] else "")


class Comparison:
    def __init__(self):
        self.differences = []

    def same(self, what, got, expected):
        if got != expected:
            self.differences.append(f"{what}:\n    vm-patch-apt {got}\n    expected     {expected}")


def home(entry):
    return entry["name"], made_guest.NATIVE if entry["arch"] == "all" else entry["arch"]


def present(root):
    """What is installed. apt also lists packages as unneeded that it thought of and then did not take."""
    found = set()
    for stanza in (root / "var/lib/dpkg/status").read_text(errors="replace").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if re.match(r"(Package|Architecture): ", line))
        if fields:
            found.add(fields["Package"] if fields["Architecture"] in ("all", made_guest.NATIVE) else ":".join(fields.values()))
    return found


def compare_with_apt(check, answer, root, guest, command, only_fetched=()):
    native, architectures = made_guest.NATIVE, guest.architectures
    apt = guests_apt.simulate(root, architectures, *command)
    full = lambda entry: entry["name"] if home(entry)[1] == native else ":".join(home(entry))
    # Of what it removes apt does not say whether it is "all".
    check.same("operations", [(o["do"], o["name"], home(o)[1] if o["do"] in ("remove", "purge") else o["arch"]) for o in answer["operations"]],
               apt["operations"])
    check.same("versions", {home(c): [c["from"], c["to"]] for c in answer["changes"]}, apt["versions"])
    check.same("downgrades", sorted(full(c) for c in answer["changes"] if c.get("downgrade")), sorted(apt["downgraded"]))
    check.same("unneeded", sorted(full(u) for u in answer["unneeded"]), sorted(set(apt["unneeded"]) & present(root)))
    if command == COMMANDS["all"]:
        check.same("kept", sorted(full(k) for k in answer["kept"]), sorted(apt["kept"]))
    uris = {guest.repositories[c["source"]].uri + c["file"]: (c["size"], c["sha256"]) for c in answer["changes"] if c["to"]}
    fetched = guests_apt.files(root, architectures, *command)
    check.same("files", uris, {uri: file for uri, file in fetched.items() if uri.rsplit("/", 1)[1].split("_")[0] not in only_fetched})


def compare_with_table(check, answer, guest):
    """What the row says, and what follows from its packages alone."""
    row = guest.row
    check.same("changes", sorted(words(c) for c in answer["changes"]), sorted(row.get("changes", [])))
    check.same("kept", {k["name"]: k["why"] for k in answer["kept"]}, row.get("kept", {}))
    if "operations" in row:
        check.same("operations", [f"{o['do']} {o['name']}" for o in answer["operations"]], row["operations"])
    if "unneeded" in row:
        check.same("unneeded", [u["name"] for u in answer["unneeded"]], row["unneeded"])
    offered = {(package.name, package.home) for repository in guest.repositories for package in repository.packages}
    present = [package for package in guest.installed if package.fields.get("Status", "").split(" ")[-1] not in ("config-files", "not-installed")]
    check.same("unknown", sorted(home(u) for u in answer["unknown"]), sorted({(p.name, p.home) for p in present} - offered))
    for change in answer["changes"]:
        if change["to"]:
            packages = [p for p in guest.repositories[change["source"]].packages
                        if (p.name, p.version, p.arch) == (change["name"], change["to"], change["arch"])]
            check.same(f"file of {change['name']}", [change["file"], change["size"], change["sha256"]] in [[p.file, p.size, p.sha256] for p in packages], True)


NEEDS_MACHINE_ID = b'{"needs_machine_id":true,"schema":"vm-patch/apt-answer/v1"}'


def compare_without_machine_id(check, guest, folder, with_it):
    """Asked without its machine-id: the same answer, or that it depends on it."""
    guest.write_for_vm_patch(folder / "withheld")
    (folder / "withheld/machine-id").unlink(missing_ok=True)
    request = {**json.loads(guest.request(folder / "verified")), "machine_id_withheld": True}
    code, out, _ = resolve(folder / "withheld", json.dumps(request))
    if out.strip() == NEEDS_MACHINE_ID:
        phased = any("Phased-Update-Percentage" in package.fields for repository in guest.repositories for package in repository.packages)
        check.same("needs the machine-id", (code, phased and guest.row.get("mode", "all") == "all"), (0, True))
    else:
        check.same("without the machine-id", (code, out), with_it)


def try_row(row):
    check = Comparison()
    with tempfile.TemporaryDirectory(prefix="vm-patch-situation-") as name:
        folder = pathlib.Path(name)
        guest = made_guest.Guest(row, folder / "mark")
        guest.write_for_vm_patch(folder / "guest")
        code, out, message = resolve(folder / "guest", guest.request(folder / "verified"))
        compare_without_machine_id(check, guest, folder, (code, out))
        if "error" in row:
            check.same("exit code", code, 1)
            check.same("error", row["error"] if row["error"] in message else message, row["error"])
            check.same("answer", out, b"")
            if row.get("apt") == "fails":
                guest.write_for_apt(folder / "root")
                check.same("apt", guests_apt.fails(folder / "root", guest.architectures, *COMMANDS["all"]), True)
        elif code != 0:
            check.same("exit code", f"{code}, {message}", 0)
        else:
            answer = json.loads(out)
            compare_with_table(check, answer, guest)
            mode = row.get("mode", "all")
            if row.get("oracle", "apt") == "apt":
                guest.write_for_apt(folder / "root", SECURITY_ONLY if mode == "security" else "")
                try:
                    compare_with_apt(check, answer, folder / "root", guest, COMMANDS[mode], row.get("only_fetched", ()))
                except guests_apt.Failed as error:
                    check.differences.append(str(error))
        check.same("run by the guest's settings", guest.mark.exists(), False)
    return check.differences


def main():
    rows = json.loads((HERE / "situations.json").read_text())
    rows = [row for row in rows if not sys.argv[1:] or any(word in row["name"] for word in sys.argv[1:])]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(try_row, rows))
    failed = 0
    for row, differences in zip(rows, results):
        failed += bool(differences)
        for difference in differences:
            print(f"{row['name']}: {difference}")
    print(f"{len(rows)} situations, {failed} failed")
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
