# SPDX-License-Identifier: MIT
"""A memory map as text: one region a line, for the commands that build and weigh.

    # ADDRESS,  LENGTH, TYPE,    LABEL        [, OUTPUT ADDRESS]
    0x08000000,    16M, DEVICE,  peripherals
    0x40000000,     2G, NORMAL,  guest memory, 0x880000000

The first four columns are those of arm64-pgtable-tool, whose users have such files
already. An address is hexadecimal, with or without 0x; a length has K, M, G or T. What
has no output address is mapped to itself.
"""

import re

from attrs import frozen

from s2geom.core.errors import InvalidArgument, UnreadableInput
from s2geom.core.units import parse_size
from s2geom.tables.attributes import Attributes

NOWHERE_EXECUTABLE = 2
READ_ONLY = 1
DEVICE_NGNRNE = 0

TYPES = {
    "NORMAL": Attributes(),
    "RW_DATA": Attributes(xn=NOWHERE_EXECUTABLE),
    "RO_DATA": Attributes(s2ap=READ_ONLY, xn=NOWHERE_EXECUTABLE),
    "CODE": Attributes(s2ap=READ_ONLY),
    "DEVICE": Attributes(memattr=DEVICE_NGNRNE, xn=NOWHERE_EXECUTABLE),
}
"""What a region may be, and the attributes of its leaves."""

_HEXADECIMAL = re.compile(r"(?:0x)?[0-9a-f_]{1,24}", re.ASCII | re.IGNORECASE)


@frozen
class Region:
    """A line of a memory map.

    Args:
        line: Number of the line, from 1.
        ipa: First input address, in bytes.
        size: Bytes.
        type: One of `TYPES`.
        label: What it is, in the file's words.
        pa: First output address, in bytes.
    """

    line: int
    ipa: int
    size: int
    type: str
    label: str
    pa: int

    @property
    def attributes(self) -> Attributes:
        """The attributes of its leaves."""
        return TYPES[self.type]


def parse_memory_map(text: str) -> tuple[Region, ...]:
    """Read a memory map.

    Raises:
        UnreadableInput: A line is not one of a memory map, or there is none; the
            message names the line.

    >>> [region] = parse_memory_map("0x40000000, 2G, NORMAL, memory")
    >>> hex(region.pa), region.size >> 30
    ('0x40000000', 2)
    """
    regions = []
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.partition("#")[0].strip()
        if content:
            regions.append(_region(number, content))
    if not regions:
        raise UnreadableInput("the memory map has no region")
    return tuple(regions)


def _region(number: int, content: str) -> Region:
    columns = [column.strip() for column in content.split(",")]
    if len(columns) not in {4, 5}:
        raise UnreadableInput(
            f"line {number}: a region is ADDRESS, LENGTH, TYPE, LABEL and perhaps "
            f"OUTPUT ADDRESS, with commas between them; got {len(columns)} of them: "
            f"{content!r}"
        )
    kind = columns[2].upper()
    if kind not in TYPES:
        known = ", ".join(TYPES)
        raise UnreadableInput(
            f"line {number}: the type must be one of {known}, got {columns[2]!r}"
        )
    try:
        ipa = _address(columns[0])
        size = parse_size(columns[1])
        pa = _address(columns[4]) if len(columns) == 5 else ipa
    except InvalidArgument as error:
        raise UnreadableInput(f"line {number}: {error}") from None
    return Region(number, ipa, size, kind, columns[3], pa)


def _address(text: str) -> int:
    # 80000000 is hexadecimal in these files; 1G can only be a size.
    if _HEXADECIMAL.fullmatch(text) and not text.lower().startswith("0x"):
        text = "0x" + text
    return parse_size(text)
