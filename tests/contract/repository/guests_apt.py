"""What the guest's own apt says: /usr/bin/apt-get on a root folder of its own, with nothing of this machine."""
import os
import pathlib
import re
import subprocess
import urllib.parse

LINE = re.compile(r"^(Inst|Conf|Remv|Purg) (\S+)(?: \[([^\]]*)\])?(?: \((\S+) (?:.* )?\[([^\]]+)\]\))?")
WORDS = {"Inst": "unpack", "Conf": "configure", "Remv": "remove", "Purg": "purge"}
SECTIONS = {"kept back": "kept", "no longer required": "unneeded", "DOWNGRADED": "downgraded"}


class Failed(Exception):
    pass


def settings(root, architectures):
    """The file that APT_CONFIG names. It is read before the guest's own files below root, as a default of the machine."""
    lines = [f'Dir "{root}/";', f'Dir::State::status "{root}/var/lib/dpkg/status";', 'Dir::Bin::ischroot "/bin/false";', 'Dir::Bin::dpkg "/bin/false";',
             f'APT::Architecture "{architectures[0]}";', 'Acquire::Languages "none";', 'Acquire::ForceHash "SHA256";', 'Debug::NoLocking "true";']
    lines += [f'APT::Architectures:: "{arch}";' for arch in architectures]
    return "\n".join(lines) + "\n"


def run(root, architectures, *arguments):
    for folder in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d", "etc/apt/trusted.gpg.d", "etc/apt/auth.conf.d",
                   "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/log/apt"):
        os.makedirs(root / folder, exist_ok=True)
    config = pathlib.Path(root, "APT_CONFIG")
    config.write_text(settings(root, architectures))
    result = subprocess.run(["/usr/bin/apt-get", *arguments], env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "APT_CONFIG": str(config)},
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    if result.returncode != 0:
        raise Failed(f"apt-get {' '.join(arguments)}: {result.stderr.strip()}\n{result.stdout}")
    return result.stdout


def simulate(root, architectures, *command):
    """Operations in order as (what, name, arch), {(name, arch): [from, to]} of what changes, and names by section."""
    answer = {"operations": [], "versions": {}, **{key: [] for key in SECTIONS.values()}}
    section = None
    for line in run(root, architectures, "--simulate", "-V", *command).splitlines():
        found = LINE.match(line)
        if found:
            add(answer, architectures[0], *found.groups())
        elif section and line.startswith("   "):
            answer[section].append(line.split()[0])
        else:
            section = next((key for words, key in SECTIONS.items() if words in line), None)
    return answer


def add(answer, native, word, full_name, old, new, arch):
    name, _, home = full_name.partition(":")
    home = home or native
    answer["operations"].append((WORDS[word], name, arch or home))
    if word == "Conf":
        return
    answer["versions"][name, home] = [old or "", new or ""]


def files(root, architectures, *command):
    """{path in the repository: SHA-256} of what it would fetch."""
    found = {}
    for line in run(root, architectures, "--print-uris", *command).splitlines():
        match = re.match(r"'([^']+)' \S+ (\d+) SHA256:(\w+)", line)
        if match:
            found[urllib.parse.unquote(match[1])] = (int(match[2]), match[3])
    return found


def fails(root, architectures, *command):
    try:
        run(root, architectures, "--simulate", *command)
    except Failed:
        return True
    return False
