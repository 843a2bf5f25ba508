# SPDX-License-Identifier: MIT
"""`cover`: the largest leaves that map a range.

In the middle of a range is at most one run of leaves of the largest size, and on either
side of it are runs of smaller and smaller ones. So a range has a few runs however long
it is. `builder` writes them into tables, and `footprint` counts them.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import evolve

from s2geom.build.leaves import ONLY_COUNTED, LeafRun
from s2geom.core.errors import InvalidArgument
from s2geom.core.geometry import Geometry, Level
from s2geom.core.granule import LAST_LEVEL
from s2geom.core.numbers import integer
from s2geom.tables.layout import AddressLayout, is_block_level

if TYPE_CHECKING:  # tables are counted without loading what descriptors say
    from s2geom.tables.attributes import Attributes


def leaf_levels(geometry: Geometry, *, lpa: bool = False) -> tuple[Level, ...]:
    """Return the levels that may have leaves, the largest leaf first.

    Args:
        geometry: The shape of the tables.
        lpa: FEAT_LPA, which brings 64K its level-1 block.
    """
    layout = AddressLayout.of(geometry, lpa=lpa)
    return tuple(
        level
        for level in geometry.table_levels
        if level.number == LAST_LEVEL
        or is_block_level(geometry.granule, layout, level.number)
    )


def cover(
    levels: Sequence[Level],
    ipa: int,
    pa: int,
    size: int,
    *,
    groups: bool,
    attributes: "Attributes" = ONLY_COUNTED,
) -> list[LeafRun]:
    """Return the largest leaves that map a range, in the order of their addresses.

    Args:
        levels: The levels that may be used, the largest leaf first, pages last.
        ipa: Input address in bytes, a multiple of the page size.
        pa: Output address in bytes, likewise.
        size: Bytes, likewise; nothing is mapped where it is 0 or less.
        groups: Whether to mark whole contiguous groups.
        attributes: Those of every leaf.
    """
    if size <= 0:
        return []
    level, smaller, end = levels[0], levels[1:], ipa + size
    first, last = _aligned(ipa, pa, end, level.entry_size)
    runs = cover(smaller, ipa, pa, first - ipa, groups=groups, attributes=attributes)
    if first < last:
        count = last - first >> level.shift
        run = LeafRun(level, first, pa + first - ipa, count, attributes=attributes)
        runs += _grouped(run) if groups else [run]
    return runs + cover(
        smaller, last, pa + last - ipa, end - last, groups=groups, attributes=attributes
    )


def cover_part(
    levels: Sequence[Level], run: LeafRun, start: int, end: int, *, groups: bool = True
) -> list[LeafRun]:
    """Return the largest leaves that map a part of what other leaves map."""
    pa, attributes = run.pa + start - run.ipa, run.attributes
    return cover(levels, start, pa, end - start, groups=groups, attributes=attributes)


def cut(levels: Sequence[Level], run: LeafRun, start: int, end: int) -> list[LeafRun]:
    """Return what leaves map from one page to another; those that are cut are split."""
    first, last = _aligned(start, start, end, run.unit)
    middle = [run.part(first, last)] if first < last else []
    before = cover_part(levels, run, start, first)
    return before + middle + cover_part(levels, run, last, end)


def _aligned(ipa: int, pa: int, end: int, unit: int) -> tuple[int, int]:
    """Return the part of a range in which both addresses are multiples of a unit.

    Where there is none, it is empty and at the end of the range.
    """
    if unit and not (ipa ^ pa) & (unit - 1):
        first, last = -(-ipa // unit) * unit, end // unit * unit
        if first < last:
            return first, last
    return end, end


def _grouped(run: LeafRun) -> Iterator[LeafRun]:
    """Mark the whole contiguous groups of a run."""
    unit = run.level.contiguous << run.level.shift
    first, last = _aligned(run.ipa, run.pa, run.end, unit)
    if run.ipa < first:
        yield run.part(run.ipa, first)
    if first < last:
        yield evolve(run.part(first, last), contiguous=True)
    if last < run.end:
        yield run.part(last, run.end)


def page_multiple(geometry: Geometry, name: str, value: object) -> int:
    """Return a number of bytes that is a multiple of the page size.

    Raises:
        InvalidArgument: It is negative, or not such a multiple.
        TypeError: It is no integer.
    """
    number = integer(name, value)
    if number < 0:
        raise InvalidArgument(f"{name} must not be negative, got {number}")
    past = number & (geometry.page_size - 1)
    if past:
        raise InvalidArgument(
            f"{name} must be a multiple of the {geometry.granule} page size, "
            f"{geometry.page_size:#x}; got {number:#x}, {past:#x} past one"
        )
    return number


def page_range(geometry: Geometry, ipa: object, size: object) -> tuple[int, int]:
    """Return the ends of a range of pages inside the IPA space.

    Raises:
        InvalidArgument: An end is not a multiple of the page size or outside the
            space, or the range is empty.
        TypeError: A value is no integer.
    """
    start = page_multiple(geometry, "ipa", ipa)
    length = page_multiple(geometry, "size", size)
    if length == 0:
        raise InvalidArgument(f"size must be at least {geometry.page_size:#x}, got 0")
    if start + length > geometry.ipa_size:
        raise InvalidArgument(
            f"{span(start, start + length)} does not fit in the "
            f"{geometry.ipa_bits}-bit IPA space, {span(0, geometry.ipa_size)}"
        )
    return start, start + length


def span(start: int, end: int) -> str:
    """Return the words for a range: its first and its last byte."""
    return f"{start:#x}..{end - 1:#x}"
