#!/usr/bin/env python3
"""make_bundle.py OUT RECIPE [--key FILE]... [--member NAME=FILE]...

Writes a bundle without any of the checks that vm-patch makes while bundling: the recipe is signed as it is (Ed25519,
by the openssl program), members are what the caller says, NAME being the digest under which a payload is looked for.
"""
import argparse
import base64
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile

TYPE = "application/vnd.vm-patch.recipe.v1+yaml"


def openssl(*arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.PIPE).stdout


def sign(key: str, text: bytes) -> dict:
    public = openssl("pkey", "-in", key, "-pubout", "-outform", "DER")
    with tempfile.NamedTemporaryFile() as file:
        file.write(text)
        file.flush()
        signature = openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", file.name)
    return {"keyid": hashlib.sha256(public).hexdigest(), "sig": base64.b64encode(signature).decode()}


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("recipe")
    parser.add_argument("--key", action="append", default=[])
    parser.add_argument("--member", action="append", default=[])
    options = parser.parse_args()
    with open(options.recipe, "rb") as file:
        payload = file.read()
    signed = b"DSSEv1 %d %s %d %s" % (len(TYPE), TYPE.encode(), len(payload), payload)
    envelope = {
        "payloadType": TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [sign(key, signed) for key in options.key],
    }
    with tarfile.open(options.out, "w", format=tarfile.USTAR_FORMAT) as tar:
        add(tar, "recipe.dsse.json", json.dumps(envelope).encode())
        for member in options.member:
            name, path = member.split("=", 1)
            with open(path, "rb") as file:
                add(tar, "payloads/" + name, file.read())


main()
