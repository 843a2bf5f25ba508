# SPDX-License-Identifier: MIT
"""`LeafRun`: leaves side by side, and the descriptors that they are.

A `LeafRun` has addresses and attributes, independent of how descriptors encode them.
`encoded` makes the words that `tree` writes, and `decoded` makes leaves of a word that
`tree` has read.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TypeAlias

from attrs import evolve, frozen

from s2geom.build.word_runs import IN_PLACE_BITS, WordRun
from s2geom.core.geometry import Geometry, Level
from s2geom.tables.attributes import (
    DEFAULT_ATTRIBUTES,
    Attributes,
    attribute_mask,
    leaf_attributes,
)
from s2geom.tables.descriptor import CONTIGUOUS_BIT, Descriptor
from s2geom.tables.layout import AddressLayout

Leaves: TypeAlias = tuple[Level, WordRun]
"""Leaves to install: their level and their descriptors."""


@frozen
class LeafRun:
    """Leaves of one level, side by side in the input and in the output addresses.

    Args:
        level: Their level of lookup.
        ipa: Input address of the first, in bytes.
        pa: Output address of the first, in bytes.
        count: How many they are.
        contiguous: Whether they are whole contiguous groups.
        attributes: What they say about the memory that they map.
    """

    level: Level
    ipa: int
    pa: int
    count: int
    contiguous: bool = False
    attributes: Attributes = DEFAULT_ATTRIBUTES

    @property
    def size(self) -> int:
        """Bytes that they map."""
        return self.count << self.level.shift

    @property
    def end(self) -> int:
        """The input address after the last."""
        return self.ipa + self.size

    @property
    def unit(self) -> int:
        """Bytes that cannot be mapped otherwise in part: a leaf, or a whole group."""
        group = self.level.contiguous if self.contiguous else 1
        return group << self.level.shift

    def goes_on_with(self, other: "LeafRun") -> bool:
        """Return whether both together are one run."""
        return (self.end, self.pa + self.size) == (other.ipa, other.pa) and (
            (self.level, self.contiguous, self.attributes)
            == (other.level, other.contiguous, other.attributes)
        )

    def part(self, start: int, end: int) -> "LeafRun":
        """Return the leaves from one input address to another, both between leaves."""
        return LeafRun(
            self.level,
            start,
            self.pa + start - self.ipa,
            (end - start) >> self.level.shift,
            self.contiguous,
            self.attributes,
        )


def joined(runs: Iterable[LeafRun]) -> list[LeafRun]:
    """Return leaves in the order of their addresses, runs that go on as one run."""
    whole: list[LeafRun] = []
    for run in runs:
        if whole and whole[-1].goes_on_with(run):
            before = whole.pop()
            whole.append(before.part(before.ipa, run.end))
        else:
            whole.append(run)
    return whole


def divided(run: LeafRun) -> LeafRun:
    """Return leaves without nT, as smaller ones that take their place have it."""
    if not run.attributes.nt:
        return run
    return evolve(run, attributes=evolve(run.attributes, nt=False))


def is_grouped(level: Level, word: int) -> bool:
    """Return whether a leaf is in a contiguous group."""
    return bool(level.contiguous and word & CONTIGUOUS_BIT)


def decoded(
    layout: AddressLayout, level: Level, ipa: int, word: int, count: int = 1
) -> LeafRun:
    """Return the leaves that begin with a word at an input address."""
    bits = word & attribute_mask(layout, level.number)
    return LeafRun(
        level,
        ipa,
        layout.decode(word, level.shift),
        count,
        is_grouped(level, word),
        leaf_attributes(bits, layout),
    )


def encoded(
    geometry: Geometry, layout: AddressLayout, run: LeafRun
) -> Iterator[Leaves]:
    """Yield the words of leaves, in parts that are progressions of words."""
    level, start = run.level, run.ipa
    bits = leaf_bits(geometry, layout, level.number, run.attributes, run.contiguous)
    while start < run.end:
        pa = run.pa + start - run.ipa
        end = min(run.end, start + (1 << IN_PLACE_BITS) - pa % (1 << IN_PLACE_BITS))
        first = bits | layout.encode(pa, level.shift)
        count = end - start >> level.shift
        yield level, WordRun(start >> level.shift, first, level.shift, count)
        start = end


@lru_cache(maxsize=256)
def leaf_bits(
    geometry: Geometry,
    layout: AddressLayout,
    level: int,
    attributes: Attributes,
    contiguous: bool = False,
) -> int:
    """Return the word of a leaf, without its address."""
    leaf = Descriptor.leaf(
        geometry,
        level,
        0,
        attributes,
        lpa=layout is AddressLayout.LPA,
        contiguous=contiguous,
    )
    return leaf.word
