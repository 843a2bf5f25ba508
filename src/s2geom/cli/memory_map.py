# SPDX-License-Identifier: MIT
"""A guest's memory as text: the regions of a map, with the line of each.

    # ADDRESS,  LENGTH, TYPE,    LABEL        [, OUTPUT ADDRESS]
    0x08000000,    16M, DEVICE,  peripherals
    0x40000000,     2G, NORMAL,  guest memory, 0x880000000

The first four columns are those of arm64-pgtable-tool. An address is hexadecimal, with
or without 0x; a length has K, M, G or T. Other texts are told by their lines: those of
/proc/iomem, memory nodes of a device tree's source, and a kernel's log of its nodes.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from itertools import pairwise

from attrs import frozen

from s2geom.core.errors import InvalidArgument, UnreadableInput
from s2geom.core.units import parse_size
from s2geom.core.wording import quoted
from s2geom.tables.attributes import Attributes

NOWHERE_EXECUTABLE = 2
READ_ONLY = 1
DEVICE_NGNRNE = 0

REGION_TYPES = {
    "NORMAL": Attributes(),
    "RW_DATA": Attributes(xn=NOWHERE_EXECUTABLE),
    "RO_DATA": Attributes(s2ap=READ_ONLY, xn=NOWHERE_EXECUTABLE),
    "CODE": Attributes(s2ap=READ_ONLY),
    "DEVICE": Attributes(memattr=DEVICE_NGNRNE, xn=NOWHERE_EXECUTABLE),
}
"""What a region may be, and the attributes of its leaves."""


@frozen
class Region:
    """A region of a guest's memory.

    Args:
        line: Number of its line, from 1; 0 where it comes from options.
        ipa: First input address, in bytes.
        size: Bytes.
        type: One of `REGION_TYPES`.
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
    def end(self) -> int:
        """The first address behind it."""
        return self.ipa + self.size

    @property
    def ipa_bits(self) -> int:
        """Width of its last address, in bits."""
        return (self.end - 1).bit_length()

    @property
    def mapping(self) -> tuple[int, int, int]:
        """What `footprint` takes: first address, bytes, first output address."""
        return self.ipa, self.size, self.pa

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"line {self.line} ({self.label})"

    @property
    def attributes(self) -> Attributes:
        """The attributes of its leaves."""
        return REGION_TYPES[self.type]


def parse_memory_map(text: str) -> tuple[Region, ...]:
    """Read the regions of a memory map, in the order of its lines.

    Raises:
        UnreadableInput: A line is not one of a memory map, a region is empty, two
            overlap, or there is none; the message names the line.

    >>> [region] = parse_memory_map("0x40000000, 2G, NORMAL, memory")
    >>> hex(region.pa), region.size >> 30
    ('0x40000000', 2)
    >>> [region] = parse_memory_map("40000000-7fffffff : System RAM")
    >>> hex(region.ipa), region.size >> 20
    ('0x40000000', 1024)
    """
    read = next(read for of_format, read in FORMATS if of_format.search(text))
    regions = tuple(read(text))
    if not regions:
        raise UnreadableInput("the memory map has no region")
    _refuse_overlaps(regions)
    return regions


def mapped_regions(regions: tuple[Region, ...]) -> tuple[Region, ...]:
    """Return the regions that tables map: of /proc/iomem, the RAM alone.

    Raises:
        UnreadableInput: There is none.
    """
    of_iomem = [region for region in regions if region.label == SYSTEM_RAM]
    return tuple(of_iomem) if of_iomem else regions


def _refuse_overlaps(regions: tuple[Region, ...]) -> None:
    ascending = sorted(regions, key=lambda region: region.ipa)
    for region in ascending:
        if region.size == 0:
            raise UnreadableInput(f"{region.name}: a region has at least 1 byte")
    for pair in pairwise(ascending):
        if pair[1].ipa < pair[0].end:
            first, second = sorted(pair, key=lambda region: region.line)
            raise UnreadableInput(
                f"{second.name}: {second.ipa:#x} to {second.end - 1:#x} overlaps "
                f"{first.name}, {first.ipa:#x} to {first.end - 1:#x}"
            )


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    return enumerate(text.splitlines(), start=1)


@contextmanager
def _in_line(number: int) -> Iterator[None]:
    """Put the number of a line before errors about it."""
    try:
        yield
    except InvalidArgument as error:
        raise UnreadableInput(f"line {number}: {error}") from None


# Columns with commas between them

_HEXADECIMAL = re.compile(r"[0-9a-f_]{1,24}", re.ASCII | re.IGNORECASE)


def _columns(text: str) -> Iterator[Region]:
    for number, line in _numbered(text):
        content = line.partition("#")[0].strip()
        if content:
            with _in_line(number):
                yield _region(number, content)


def _region(number: int, content: str) -> Region:
    columns = [column.strip() for column in content.split(",")]
    if len(columns) not in {4, 5}:
        raise InvalidArgument(
            "a region is ADDRESS, LENGTH, TYPE, LABEL and perhaps OUTPUT ADDRESS, with "
            f"commas between them; got {len(columns)} of them: {quoted(content)}"
        )
    first, length, kind, label, *output = columns
    if kind.upper() not in REGION_TYPES:
        raise InvalidArgument(
            f"the type must be one of {', '.join(REGION_TYPES)}, got {quoted(kind)}"
        )
    ipa, size = _address(first), parse_size(length)
    pa = _address(output[0]) if output else ipa
    return Region(number, ipa, size, kind.upper(), label, pa)


def _address(text: str) -> int:
    # 80000000 is hexadecimal in these files; 1G can only be a size.
    return parse_size(f"0x{text}" if _HEXADECIMAL.fullmatch(text) else text)


# /proc/iomem

_IOMEM = re.compile(
    r"^( *)([0-9a-f]{1,16})-([0-9a-f]{1,16}) : (.*)$",
    re.ASCII | re.IGNORECASE | re.MULTILINE,
)
SYSTEM_RAM = "System RAM"


def _iomem(text: str) -> Iterator[Region]:
    """Yield the outermost ranges: what is indented is a part of them."""
    for number, line in _numbered(text):
        match = _IOMEM.fullmatch(line)
        if match is None and line.strip():
            raise UnreadableInput(
                f"line {number}: /proc/iomem has FIRST-LAST : NAME, got {quoted(line)}"
            )
        if match is not None and not match[1]:
            yield _outermost(number, int(match[2], 16), int(match[3], 16), match[4])


def _outermost(number: int, first: int, last: int, label: str) -> Region:
    if not last:
        raise UnreadableInput(
            f"line {number}: its addresses are hidden; only root sees them in "
            "/proc/iomem"
        )
    kind = "NORMAL" if label == SYSTEM_RAM else "DEVICE"
    return _region_of_range(number, first, last, kind, label)


def _region_of_range(
    number: int, first: int, last: int, kind: str, label: str
) -> Region:
    if last < first:
        raise UnreadableInput(
            f"line {number}: the range ends at {last:#x}, before it begins, at "
            f"{first:#x}"
        )
    return Region(number, first, last - first + 1, kind, label, first)


# Memory nodes

_LOG = re.compile(
    r"(node\s+[0-9]{1,4}): \[mem 0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})\]",
    re.ASCII | re.IGNORECASE,
)
_REG = r"\breg\s*=\s*(?P<reg>(?:<[^<>;{}]*>[\s,]*)+)"
_TREE = re.compile(
    r"(?P<opens>[\w,.@/-]+)\s*\{|(?P<closes>\})"
    r"|#(?P<of>address|size)-cells\s*=\s*<\s*(?:0x)?0*(?P<cells>[12])\s*>|" + _REG,
    re.ASCII,
)


def _log(text: str) -> Iterator[Region]:
    """Yield the ranges of nodes as a kernel prints them when it boots."""
    for number, line in _numbered(text):
        match = _LOG.search(line)
        if match:
            first, last = int(match[2], 16), int(match[3], 16)
            yield _region_of_range(
                number, first, last, "NORMAL", " ".join(match[1].split())
            )


ROOT_NODE = "/"


def _memory_nodes(text: str) -> Iterator[Region]:
    """Yield the ranges that ``reg`` of a device tree's memory nodes has."""
    cells = {"address": 2, "size": 2}  # as in nearly every tree for arm64
    for node, match in _properties(text):
        label = node or "memory"
        if match["of"] and node in {"", ROOT_NODE}:
            cells[match["of"]] = int(match["cells"])
        elif match["reg"] and label.partition("@")[0] == "memory":
            number = text.count("\n", 0, match.start()) + 1
            words = re.sub("[<>,]", " ", match["reg"]).split()
            with _in_line(number):
                yield from _reg(number, label, words, cells)


def _properties(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    """Yield the properties of the root and of the nodes in it, with the node's name.

    It is empty where a fragment of a tree has no node. What is further down is in a
    device or in reserved memory.
    """
    nodes: list[str] = []  # from the root
    for match in _TREE.finditer(text):
        if match["opens"]:
            nodes.append(match["opens"])
        elif match["closes"]:
            del nodes[-1:]
        elif nodes[:-1] in ([], [ROOT_NODE]):
            yield "".join(nodes[-1:]), match


def _reg(
    number: int, node: str, words: list[str], cells: dict[str, int]
) -> Iterator[Region]:
    count = sum(cells.values())
    values = [*map(parse_size, words)]
    if not values or len(values) % count or any(value >> 32 for value in values):
        raise InvalidArgument(
            f"reg has {len(values)} cells of 32 bits, where each range "
            f"takes {cells['address']} for its address and {cells['size']} for its size"
        )
    for at in range(0, len(values), count):
        middle = at + cells["address"]
        first = _value_of_cells(values[at:middle])
        size = _value_of_cells(values[middle : at + count])
        yield Region(number, first, size, "NORMAL", node, first)


def _value_of_cells(cells: list[int]) -> int:
    return reduce(lambda value, cell: value << 32 | cell, cells, 0)


FORMATS: tuple[tuple[re.Pattern[str], Callable[[str], Iterator[Region]]], ...] = (
    (_IOMEM, _iomem),
    (_LOG, _log),
    (re.compile(_REG), _memory_nodes),
    (re.compile(""), _columns),
)
"""What a text has in it, and how it is read then; the first row that fits."""
