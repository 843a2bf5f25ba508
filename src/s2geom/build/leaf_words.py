# SPDX-License-Identifier: MIT
"""`encoded` and `leaves_of`: from leaves to their descriptors, and back."""

from collections.abc import Iterator
from functools import lru_cache
from typing import TypeAlias

from s2geom.build.leaves import LeafRun
from s2geom.build.word_runs import IN_PLACE_BITS, WordRun
from s2geom.core.geometry import Geometry, Level
from s2geom.tables.attributes import Attributes, attribute_mask, leaf_attributes
from s2geom.tables.descriptor import CONTIGUOUS_BIT, Descriptor
from s2geom.tables.layout import AddressLayout

Leaves: TypeAlias = tuple[Level, WordRun]
"""Leaves to install: their level and their descriptors."""


def is_grouped(level: Level, word: int) -> bool:
    """Return whether a leaf is in a contiguous group."""
    return bool(level.contiguous and word & CONTIGUOUS_BIT)


def leaves_of(
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
    lpa = layout is AddressLayout.LPA
    bits = leaf_bits(geometry, level.number, run.attributes, lpa, run.contiguous)
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
    level: int,
    attributes: Attributes,
    lpa: bool,
    contiguous: bool = False,
) -> int:
    """Return the word of a leaf, without its address."""
    leaf = Descriptor.leaf(
        geometry, level, 0, attributes, lpa=lpa, contiguous=contiguous
    )
    return leaf.word
