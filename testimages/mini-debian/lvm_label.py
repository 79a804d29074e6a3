#!/usr/bin/env python3
"""lvm_label.py FILE OFFSET SIZE: writes the label of an LVM2 physical volume at OFFSET.

Layout: lvm2 lib/label/label.h and lib/format_text/layout.h. The label is in the second sector.
"""
import struct
import sys
import zlib


def crc(data: bytes) -> int:
    return zlib.crc32(data, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def main() -> None:
    name, offset, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    uuid = b"0" * 32
    # uuid, device size, one data area (1 MiB to the end), its end mark, no metadata area
    body = uuid + struct.pack("<QQQQQQQ", size, 1048576, 0, 0, 0, 0, 0)
    checked = struct.pack("<L8s", 32, b"LVM2 001") + body
    checked += bytes(512 - 20 - len(checked))
    label = struct.pack("<8sQL", b"LABELONE", 1, crc(checked)) + checked
    assert len(label) == 512
    with open(name, "r+b") as disk:
        disk.seek(offset + 512)
        disk.write(label)


main()
