# SPDX-License-Identifier: MIT
"""The headers of an ELF core: which physical memory is where in the file."""

from collections.abc import Callable, Iterator
from struct import Struct
from typing import NamedTuple

from s2geom.core.errors import UnreadableInput
from s2geom.tables.memory import ADDRESSES

ELF_MAGIC = b"\x7fELF"

ELF_HEADER = Struct("<16s H H 12x Q Q 6x H H H 4x")
"""Identity, type and machine; the places of the program headers and of the section
headers; a program header's size, their number, and a section header's size."""

PROGRAM_HEADER = Struct("<I I Q Q Q Q Q Q")
SECTION_HEADER = Struct("<44x I 16x")
"""sh_info, which in section 0 is the number of program headers."""

CLASS64, LITTLE_ENDIAN, CORE, AARCH64, LOAD = 2, 1, 4, 183, 1
COUNT_IN_SECTION = 0xFFFF
"""e_phnum of a file with more program headers: section 0 has their number."""
MOST_HEADERS = 1 << 20
"""A dump has a segment for each piece of RAM; a hostile one may claim billions."""


class Segment(NamedTuple):
    """Physical memory that is contiguous in a file."""

    address: int
    offset: int
    size: int


ReadFile = Callable[[int, int], bytes]
"""Takes an offset in the file and a size; fewer bytes come back at its end."""


def core_segments(name: str, read: ReadFile, file_size: int) -> tuple[Segment, ...]:
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
    found: list[Segment] = []
    end = 0
    for address, offset, size in sorted(_load_segments(name, read, file_size)):
        skip = max(end - address, 0)
        if skip < size:
            found.append(Segment(address + skip, offset + skip, size - skip))
            end = address + size
    _require(found, f"{name} is an ELF core without memory (no PT_LOAD)")
    return tuple(found)


def _require(holds: object, otherwise: str) -> None:
    if not holds:
        raise UnreadableInput(otherwise)


def _load_segments(name: str, read: ReadFile, file_size: int) -> Iterator[Segment]:
    headers = [row for row in _program_headers(name, read) if row[0] == LOAD]
    # A process's core, gdb's too, leaves all physical addresses 0.
    _require(
        not headers or any(row[4] or not row[3] for row in headers),
        f"{name} has virtual addresses alone, as a process's core has; take the memory "
        "of the machine (dump-guest-memory in QEMU)",
    )
    for _, _, offset, _, address, size, in_memory, _ in headers:
        _require(
            offset + size <= file_size,
            f"{name} is truncated: the memory at {address:#x} ends at byte "
            f"{offset + size:#x}, but the file has {file_size:#x}",
        )
        _require(
            address + max(size, in_memory) <= ADDRESSES,
            f"{name} is damaged: the memory at {address:#x} ends beyond 64 bits",
        )
        yield Segment(address, offset, size)


def _program_headers(name: str, read: ReadFile) -> Iterator[tuple[int, ...]]:
    data = read(0, ELF_HEADER.size)
    whole = len(data) == ELF_HEADER.size
    _require(whole, f"{name} is truncated: no whole ELF header")
    identity, kind, machine, at, sections, size, count, section_size = (
        ELF_HEADER.unpack(data)
    )
    for holds, otherwise in (
        (identity[:4] == ELF_MAGIC, "no ELF file"),
        (identity[4] == CLASS64, "not a 64-bit ELF file"),
        (identity[5] == LITTLE_ENDIAN, "not a little-endian ELF file"),
        (kind == CORE, f"no core but ELF of type {kind}"),
        (machine == AARCH64, f"of machine {machine}, not of AArch64 ({AARCH64})"),
    ):
        _require(holds, f"{name} is {otherwise}")
    if count == COUNT_IN_SECTION:
        count = _count_in_section(name, read, sections, section_size)
    _require(
        not count or size == PROGRAM_HEADER.size,
        f"{name} is damaged: program headers of {size} bytes, not "
        f"{PROGRAM_HEADER.size}",
    )
    _require(count <= MOST_HEADERS, f"{name} is damaged: {count} program headers")
    table = read(at, count * PROGRAM_HEADER.size)
    whole = len(table) == count * PROGRAM_HEADER.size
    _require(whole, f"{name} is truncated: no whole table of {count} program headers")
    return PROGRAM_HEADER.iter_unpack(table)


def _count_in_section(name: str, read: ReadFile, at: int, size: int) -> int:
    data = read(at, SECTION_HEADER.size)
    _require(
        at and size == len(data) == SECTION_HEADER.size,
        f"{name} is damaged: section 0, which has the number of program headers, "
        "cannot be read",
    )
    [count] = SECTION_HEADER.unpack(data)
    return int(count)
