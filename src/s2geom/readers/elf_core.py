# SPDX-License-Identifier: MIT
"""The headers of an ELF core: which physical memory is where in the file."""

from collections.abc import Callable, Iterator
from struct import Struct
from typing import NamedTuple

from s2geom.core.errors import UnreadableInput

ELF_MAGIC = b"\x7fELF"

HEADER = Struct("<16s H H I Q Q Q I H H H H H H")
PROGRAM_HEADER = Struct("<I I Q Q Q Q Q Q")
SECTION_HEADER = Struct("<I I Q Q Q Q I I Q Q")

CLASS64, LITTLE_ENDIAN, CORE, AARCH64, LOAD = 2, 1, 4, 183, 1
COUNT_IN_SECTION = 0xFFFF
"""e_phnum of a file with more program headers: section 0 has their number."""
MOST_HEADERS = 1 << 20
"""A dump has a segment for each piece of RAM; a hostile one may claim billions."""


class Piece(NamedTuple):
    """Physical memory that is contiguous in a file."""

    address: int
    offset: int
    size: int


ReadFile = Callable[[int, int], bytes]
"""Takes an offset in the file and a size; fewer bytes come back at its end."""


def core_pieces(name: str, read: ReadFile, file_size: int) -> tuple[Piece, ...]:
    """Return the memory that a core holds, sorted, without overlaps.

    Where two segments have the same address, as the kernel's text has in a vmcore, the
    one that begins first is taken.

    Args:
        name: Of the file, for messages.
        read: Reads the file.
        file_size: Its bytes.

    Raises:
        UnreadableInput: It is no core of a 64-bit little-endian Arm machine, has no
            physical addresses, or is truncated or damaged.
    """
    pieces = sorted(_load_segments(name, read, file_size))
    if not pieces:
        raise UnreadableInput(f"{name} is an ELF core without memory (no PT_LOAD)")
    found: list[Piece] = []
    end = 0
    for address, offset, size in pieces:
        skip = max(end - address, 0)
        if skip < size:
            found.append(Piece(address + skip, offset + skip, size - skip))
            end = address + size
    return tuple(found)


def _load_segments(name: str, read: ReadFile, file_size: int) -> Iterator[Piece]:
    segments = [row for row in _program_headers(name, read) if row[0] == LOAD]
    # A process's core, gdb's too, leaves all physical addresses 0.
    if segments and not any(row[4] or not row[3] for row in segments):
        raise UnreadableInput(
            f"{name} has virtual addresses alone, as a process's core has; take the "
            "memory of the machine (dump-guest-memory in QEMU)"
        )
    for _, _, offset, _, address, size, in_memory, _ in segments:
        if offset + size > file_size:
            raise UnreadableInput(
                f"{name} is truncated: the memory at {address:#x} ends at byte "
                f"{offset + size:#x}, but the file has {file_size:#x}"
            )
        if max(size, in_memory) + address > 1 << 64:
            raise UnreadableInput(
                f"{name} is damaged: the memory at {address:#x} ends beyond 64 bits"
            )
        if size:
            yield Piece(address, offset, size)


def _program_headers(name: str, read: ReadFile) -> Iterator[tuple[int, ...]]:
    data = read(0, HEADER.size)
    if len(data) < HEADER.size:
        raise UnreadableInput(f"{name} is truncated: no whole ELF header")
    (
        identity,
        kind,
        machine,
        _,
        _,
        at,
        sections,
        _,
        _,
        entry,
        count,
        section_entry,
        *_,
    ) = HEADER.unpack(data)
    for right, wrong in (
        (identity[:4] == ELF_MAGIC, "no ELF file"),
        (identity[4] == CLASS64, "not a 64-bit ELF file"),
        (identity[5] == LITTLE_ENDIAN, "not a little-endian ELF file"),
        (kind == CORE, f"no core but ELF of type {kind}"),
        (machine == AARCH64, f"of machine {machine}, not of AArch64 ({AARCH64})"),
    ):
        if not right:
            raise UnreadableInput(f"{name} is {wrong}")
    if count == COUNT_IN_SECTION:
        count = _count_in_section(name, read, sections, section_entry)
    if count and entry != PROGRAM_HEADER.size:
        raise UnreadableInput(
            f"{name} is damaged: program headers of {entry} bytes, not "
            f"{PROGRAM_HEADER.size}"
        )
    if count > MOST_HEADERS:
        raise UnreadableInput(f"{name} is damaged: {count} program headers")
    table = read(at, count * PROGRAM_HEADER.size)
    if len(table) < count * PROGRAM_HEADER.size:
        raise UnreadableInput(
            f"{name} is truncated: no whole table of {count} program headers"
        )
    yield from PROGRAM_HEADER.iter_unpack(table)


def _count_in_section(name: str, read: ReadFile, at: int, entry: int) -> int:
    data = read(at, SECTION_HEADER.size)
    if not at or entry != SECTION_HEADER.size or len(data) < SECTION_HEADER.size:
        raise UnreadableInput(
            f"{name} is damaged: section 0, which has the number of program headers, "
            "cannot be read"
        )
    info: int = SECTION_HEADER.unpack(data)[7]
    return info
