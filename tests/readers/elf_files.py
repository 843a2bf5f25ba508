# SPDX-License-Identifier: MIT
"""ELF cores for tests, made byte by byte from the format's own description."""

from __future__ import annotations

import struct

Segment = tuple[int, bytes]
"""Physical address, and the memory there."""


def elf_core(
    segments: list[Segment],
    *,
    elf_class: int = 2,
    data: int = 1,
    kind: int = 4,
    machine: int = 183,
    virtual: int = 0,
    note: bytes = b"",
    count_in_section: bool = False,
) -> bytes:
    """Return an ELF core: header, program headers, a note, and the memory.

    Args:
        segments: One PT_LOAD for each.
        elf_class: 2 is 64-bit.
        data: 1 is little-endian.
        kind: 4 is a core.
        machine: 183 is AArch64.
        virtual: Added to the physical address for the virtual one.
        note: Contents of a PT_NOTE before the others.
        count_in_section: Whether e_phnum is 0xffff and section 0 has the number.
    """
    count = len(segments) + 1
    sections_at = 64 + 56 * count if count_in_section else 0
    at = 64 + 56 * count + (64 if count_in_section else 0)
    identity = b"\x7fELF" + bytes((elf_class, data, 1)) + bytes(9)
    header = identity + struct.pack(
        "<HHIQQQIHHHHHH",
        *(kind, machine, 1, 0, 64, sections_at, 0, 64, 56),
        *(0xFFFF if count_in_section else count, 64, int(count_in_section), 0),
    )
    table = bytearray(struct.pack("<IIQQQQQQ", 4, 0, at, 0, 0, len(note), 0, 0))
    body = bytearray(note)
    for address, memory in segments:
        table += struct.pack(
            "<IIQQQQQQ",
            *(1, 7, at + len(body), (address + virtual) % (1 << 64), address),
            *(len(memory), len(memory), 0),
        )
        body += memory
    section = struct.pack("<IIQQQQIIQQ", *(0,) * 7, count, 0, 0)
    return bytes(header + table + (section if count_in_section else b"") + body)
