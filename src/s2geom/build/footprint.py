# SPDX-License-Identifier: MIT
"""`footprint`: how many tables a memory map takes, without building one.

A table exists if a leaf of its level or below is in the region that it maps. A run of
leaves touches regions that are side by side, so tables are counted as intervals of
numbers. The cost depends on the number of ranges, not on their size.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from attrs import frozen

from s2geom.build.cover import cover, leaf_levels, page_multiple, page_range, span
from s2geom.build.leaves import LeafRun
from s2geom.core.display import Displayed
from s2geom.core.errors import InvalidArgument
from s2geom.core.geometry import Geometry, Level
from s2geom.core.numbers import flag, integer
from s2geom.core.public import public
from s2geom.core.wording import quoted


@public
@frozen
class LevelCount:
    """The tables of one level, and the leaves in them.

    Args:
        level: Level of lookup, -1..3.
        tables: Tables; at the start level those of the PGD, side by side.
        bytes: Bytes of these tables. A PGD smaller than a page counts exactly.
        leaves: Descriptors that map memory at this level.
        leaf_size: Bytes that each of them maps.
        contiguous: How many of them are in contiguous groups.
    """

    level: int
    tables: int
    bytes: int
    leaves: int
    leaf_size: int
    contiguous: int


@public
@frozen
class TableCount:
    """All tables of one way to map a set of ranges.

    Args:
        levels: A `LevelCount` for each level, start level first.
        pages: Whole pages that the tables occupy. It is ``bytes`` in pages, but a PGD
            smaller than a page takes one, as KVM allocates it since v5.10.
    """

    levels: tuple[LevelCount, ...]
    pages: int

    @property
    def tables(self) -> int:
        """Tables of all levels, the PGD's included."""
        return sum(count.tables for count in self.levels)

    @property
    def bytes(self) -> int:
        """Bytes of all tables, the PGD's included."""
        return sum(count.bytes for count in self.levels)

    @property
    def leaves(self) -> dict[int, int]:
        """How many leaves there are of each size in bytes, the largest first."""
        return {count.leaf_size: count.leaves for count in self.levels if count.leaves}


@public
@frozen
class Footprint(Displayed):
    """How many tables and bytes a set of ranges takes.

    Args:
        geometry: The shape of the tables.
        mapped: Bytes that the ranges hold together.
        worst: Everything mapped by pages, as dirty logging makes it.
        best: Everything mapped by the largest blocks and contiguous groups.
        kvm: With the leaves that KVM installs; None where they were not given.
    """

    geometry: Geometry
    mapped: int
    worst: TableCount
    best: TableCount
    kvm: TableCount | None = None


@frozen
class _Range:
    ipa: int
    end: int
    pa: int
    leaf: int

    def __str__(self) -> str:
        return span(self.ipa, self.end)


@public
def footprint(
    geometry: Geometry,
    ranges: Iterable[Sequence[int]],
    *,
    leaf: int | Sequence[int] | None = None,
    lpa: bool = False,
) -> Footprint:
    """Return the tables and bytes, by level, that a set of ranges takes.

    It is what `TableBuilder` builds when each range is one call of ``map``. Ranges
    that overlap are counted once. Ranges that only touch stay two, as two memory slots
    do: no block reaches across.

    Args:
        geometry: The shape of the tables.
        ranges: Pairs ``(ipa, size)`` or triples ``(ipa, size, pa)`` in bytes, all
            multiples of the page size. A block needs an output address of its own
            alignment; without one, it is taken to be equal to the IPA.
        leaf: Bytes of the largest leaf that KVM installs, as `leaf_size` gives it, or
            a sequence of them, one a range, for a host that mixes page sizes. Adds
            ``kvm``: leaves no larger, smaller ones where the ends of a range or its
            output address need them (Linux v5.10 on; earlier kernels go down to pages
            there), and no contiguous groups.
        lpa: FEAT_LPA, which brings 64K pages level-1 blocks. They are also there where
            the IPA is wider than 48 bits.

    Raises:
        InvalidArgument: A range is empty, not made of pages or outside the IPA space,
            two overlap with different output addresses or leaves, or no leaf of the
            tree has the size of ``leaf``.
        TypeError: A value has the wrong type.

    Source: Arm ARM D8.2; Linux v5.10, user_mem_abort.

    >>> shape = Geometry(12, 40, 1)
    >>> ram = footprint(shape, [(1 << 30, 64 << 30)])
    >>> ram.worst.bytes, ram.best.bytes
    (134488064, 8192)
    >>> footprint(shape, [(1 << 30, 64 << 30)], leaf=2 << 20).kvm.tables
    66
    """
    levels = leaf_levels(geometry, lpa=flag("lpa", lpa))
    sizes = [level.entry_size for level in levels]
    united = _united(_read(geometry, ranges, leaf, sizes))

    def count(largest: Callable[[_Range], int], *, groups: bool = False) -> TableCount:
        runs: list[LeafRun] = []
        for part in united:
            usable = [level for level in levels if level.entry_size <= largest(part)]
            size = part.end - part.ipa
            runs += cover(usable, part.ipa, part.pa, size, groups=groups)
        return _count(geometry, runs)

    return Footprint(
        geometry,
        sum(part.end - part.ipa for part in united),
        worst=count(lambda _: geometry.page_size),
        best=count(lambda _: sizes[0], groups=True),
        kvm=None if leaf is None else count(lambda part: part.leaf),
    )


# The ranges


def _read(
    geometry: Geometry, ranges: object, leaf: object, sizes: list[int]
) -> list[_Range]:
    """Check the ranges and the leaves, and put them together."""
    if not isinstance(ranges, Iterable) or isinstance(ranges, str | bytes):
        raise TypeError(f"ranges must be pairs (ipa, size), got {quoted(ranges)}")
    listed = list(ranges)
    leaves = _leaves(leaf, sizes, len(listed))
    return [_range(geometry, *pair) for pair in zip(listed, leaves, strict=True)]


def _leaves(leaf: object, sizes: list[int], count: int) -> list[int]:
    """Return the bytes of the largest leaf of each range, 0 where none was given."""
    if leaf is None:
        return [0] * count
    if not isinstance(leaf, Sequence) or isinstance(leaf, str | bytes):
        return [_leaf(leaf, sizes)] * count
    if len(leaf) != count:
        raise InvalidArgument(
            f"leaf must be one size, or one for each of {count} ranges, got {len(leaf)}"
        )
    return [_leaf(size, sizes) for size in leaf]


def _leaf(value: object, sizes: list[int]) -> int:
    size = integer("leaf", value)
    if size not in sizes:
        known = ", ".join(map(str, reversed(sizes)))
        raise InvalidArgument(
            f"leaf must be what one entry of this tree maps, {known} bytes, got {size}"
        )
    return size


def _range(geometry: Geometry, given: object, leaf: int) -> _Range:
    if not isinstance(given, Sequence) or len(given) not in {2, 3}:
        raise TypeError(
            f"a range must be (ipa, size) or (ipa, size, pa), got {quoted(given)}"
        )
    ipa, end = page_range(geometry, given[0], given[1])
    pa = page_multiple(geometry, "pa", given[2]) if len(given) == 3 else ipa
    return _Range(ipa, end, pa, leaf)


def _united(ranges: list[_Range]) -> list[_Range]:
    """Sort the ranges, and make one of those that overlap."""
    united: list[_Range] = []
    for part in sorted(ranges, key=lambda part: part.ipa):
        if not united or united[-1].end <= part.ipa:
            united.append(part)
            continue
        before = united[-1]
        if part.pa - part.ipa != before.pa - before.ipa:
            raise InvalidArgument(
                f"{before} and {part} overlap, but {part.ipa:#x} is "
                f"{before.pa + part.ipa - before.ipa:#x} by the one and {part.pa:#x} "
                "by the other"
            )
        if part.leaf != before.leaf:
            raise InvalidArgument(
                f"{before} and {part} overlap, but have leaves of {before.leaf} and "
                f"{part.leaf} bytes"
            )
        end = max(before.end, part.end)
        united[-1] = _Range(before.ipa, end, before.pa, before.leaf)
    return united


# The count


def _count(geometry: Geometry, runs: list[LeafRun]) -> TableCount:
    counts = [_level_count(geometry, level, runs) for level in geometry.table_levels]
    pages = geometry.pgd_pages + sum(count.tables for count in counts[1:])
    return TableCount(tuple(counts), pages)


def _level_count(geometry: Geometry, level: Level, runs: list[LeafRun]) -> LevelCount:
    """Count one level; the runs are in the order of their addresses."""
    tables, size = level.tables, geometry.pgd_size
    if level.number != geometry.start_level:
        tables = _tables(level.shift + geometry.stride, level.number, runs)
        size = tables * geometry.page_size
    leaves = Counter[bool]()  # by whether they are contiguous
    for run in runs:
        if run.level.number == level.number:
            leaves[run.contiguous] += run.count
    return LevelCount(
        level=level.number,
        tables=tables,
        bytes=size,
        leaves=leaves.total(),
        leaf_size=level.entry_size,
        contiguous=leaves[True],
    )


def _tables(region_shift: int, number: int, runs: list[LeafRun]) -> int:
    """Count the regions, one a table, that leaves of this level or below touch."""
    tables, counted = 0, -1  # the last region that was counted
    for run in runs:
        if run.level.number >= number:
            first = max(run.ipa >> region_shift, counted + 1)
            last = (run.end - 1) >> region_shift
            if first <= last:
                tables += last - first + 1
                counted = last
    return tables
