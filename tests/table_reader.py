# SPDX-License-Identifier: MIT
"""A page-table walk of the tests' own: as plain as can be, and from the manual alone.

It takes nothing from the package, so that what the package builds and reads is held
against somebody else's understanding.
"""

from collections.abc import Callable, Iterable, Iterator
from struct import unpack
from typing import NamedTuple

VALID, TYPE, CONTIGUOUS = 1 << 0, 1 << 1, 1 << 52

# Entries in a contiguous group
GROUPS = {(12, 1): 16, (12, 2): 16, (12, 3): 16, (14, 2): 32, (14, 3): 128}
GROUPS |= {(16, 2): 32, (16, 3): 32}

BLOCK_LEVELS = {
    "48": {12: {1, 2}, 14: {2}, 16: {2}},
    "lpa": {16: {1, 2}},
    "lpa2": {12: {0, 1, 2}, 14: {1, 2}},
}

# Bits of a leaf that are neither address, contiguous bit nor type
ATTRIBUTES = 0xF << 2 | 3 << 6 | 3 << 8 | 3 << 10 | 1 << 51 | 0x7FF << 53


class Shape(NamedTuple):
    """What a walk must know; ``layout`` is "48", "lpa" or "lpa2"."""

    page_shift: int
    ipa_bits: int
    start_level: int
    layout: str

    @property
    def pgd_size(self) -> int:
        """Bytes of all the tables of the start level."""
        return 8 << self.ipa_bits - self.shift(self.start_level)

    def shift(self, level: int) -> int:
        """Return log2 of what one entry maps."""
        return self.page_shift + (self.page_shift - 3) * (3 - level)

    def address(self, word: int, shift: int) -> int:
        """Return the address in a word."""
        if self.layout == "lpa":
            return word & (1 << 48) - (1 << shift) | (word >> 12 & 0xF) << 48
        if self.layout == "lpa2":
            return word & (1 << 50) - (1 << shift) | (word >> 8 & 3) << 50
        return word & (1 << 48) - (1 << shift)

    def attributes(self, word: int) -> int:
        """Return the bits of a leaf that say what memory is like."""
        return word & ATTRIBUTES & ~(3 << 8 if self.layout == "lpa2" else 0)


class Run(NamedTuple):
    """Valid block or page descriptors of one table, side by side in all respects."""

    ipa: int
    leaf_size: int
    many: int
    pa: int
    attributes: int
    level: int
    contiguous: bool

    @property
    def end(self) -> int:
        """The IPA after the last leaf."""
        return self.ipa + self.many * self.leaf_size


class Link(NamedTuple):
    """A table descriptor."""

    ipa: int
    table: int


Read = Callable[[int, int], bytes]
"""Reads bytes at a physical address."""


def entries(shape: Shape, level: int, image: bytes, base: int) -> list[Run | Link]:
    """Return what one table holds; rubbish and broken groups are failures."""
    found: list[Run | Link] = []
    shift = shape.shift(level)
    words = unpack(f"<{len(image) // 8}Q", image)
    index = 0
    while index < len(words):
        word, ipa, count = words[index], base + (index << shift), 1
        if not word:
            pass
        elif level < 3 and word & VALID and word & TYPE:
            found.append(Link(ipa, shape.address(word, shape.page_shift)))
        else:
            expected = word + (1 << shift)
            while index + count < len(words) and words[index + count] == expected:
                count += 1
                expected += 1 << shift
            found.append(run_of(shape, level, word, ipa, count))
        index += count
    return found


def run_of(shape: Shape, level: int, word: int, ipa: int, count: int) -> Run:
    """Return leaves by the first's word."""
    shift = shape.shift(level)
    page = level == 3 and bool(word & TYPE)

    assert word & VALID, f"rubbish: {word:#x}"
    assert page or level in BLOCK_LEVELS[shape.layout][shape.page_shift]
    pa, grouped = shape.address(word, shift), bool(word & CONTIGUOUS)
    if grouped:
        group = GROUPS[shape.page_shift, level]

        assert (0, 0, 0) == (
            ipa % (group << shift),
            pa % (group << shift),
            count % group,
        )
    return Run(ipa, 1 << shift, count, pa, shape.attributes(word), level, grouped)


def runs(
    shape: Shape, root: int, read: Read, tables: set[int] | None = None
) -> Iterator[Run]:
    """Yield every leaf, and note the address of each table on the way."""

    def visit(level: int, table: int, base: int, size: int) -> Iterator[Run]:
        if tables is not None:
            assert table not in tables, f"{table:#x} is linked twice"
            tables.add(table)
        for entry in entries(shape, level, read(table, size), base):
            if isinstance(entry, Link):
                yield from visit(
                    level + 1, entry.table, entry.ipa, 1 << shape.page_shift
                )
            else:
                yield entry

    yield from visit(shape.start_level, root, 0, shape.pgd_size)


class Segment(NamedTuple):
    """A range that is mapped to consecutive addresses, all with one meaning."""

    ipa: int
    end: int
    pa: int
    attributes: int


def merged(parts: Iterable[Segment]) -> list[Segment]:
    """Return segments, those that go on where another ends as one."""
    found: list[Segment] = []
    for part in parts:
        last = found[-1] if found else None
        if (
            last is not None
            and last.end == part.ipa
            and last.attributes == part.attributes
            and last.pa + last.end - last.ipa == part.pa
        ):
            found[-1] = last._replace(end=part.end)
        else:
            found.append(part)
    return found


def segment(run: Run) -> Segment:
    """Return what leaves map, whatever kind of leaf they are."""
    return Segment(run.ipa, run.end, run.pa, run.attributes)


def segments(shape: Shape, root: int, images: dict[int, bytes]) -> list[Segment]:
    """Return what images map; every image must be a table that is linked once."""
    tables: set[int] = set()
    found = merged(map(segment, runs(shape, root, reader(images), tables)))

    assert tables == set(images)
    return found


def reader(images: dict[int, bytes]) -> Read:
    """Return what reads whole images, and nothing else."""

    def read(address: int, size: int) -> bytes:
        assert len(images[address]) == size
        return images[address]

    return read
