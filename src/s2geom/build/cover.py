# SPDX-License-Identifier: MIT
"""`cover`: the largest leaves that map a range.

In the middle of a range is at most one run of leaves of the largest size, and on either
side of it are runs of smaller and smaller ones. So a range has a few runs however long
it is. `builder` writes them into tables, and `footprint` counts them.
"""

from collections.abc import Iterator, Sequence

from attrs import evolve, frozen

from s2geom.core.errors import InvalidArgument
from s2geom.core.geometry import Geometry, Level
from s2geom.core.granule import LAST_LEVEL
from s2geom.core.numbers import integer
from s2geom.tables.layout import AddressLayout, is_block_level


@frozen
class LeafRun:
    """Leaves of one level, side by side in the input and in the output addresses.

    Args:
        level: The level that they stand at.
        ipa: Input address of the first, in bytes.
        pa: Output address of the first, in bytes.
        count: How many they are.
        contiguous: Whether they are whole contiguous groups.
    """

    level: Level
    ipa: int
    pa: int
    count: int
    contiguous: bool = False

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

    @property
    def whole(self) -> "LeafRun":
        """The whole leaf, or the whole contiguous group, that the first is in."""
        ipa = self.ipa & -self.unit
        count = self.unit >> self.level.shift
        return evolve(self, ipa=ipa, pa=self.pa & -self.unit, count=count)

    def goes_on_with(self, other: "LeafRun") -> bool:
        """Return whether both together are one run."""
        return (
            self.level == other.level
            and self.contiguous == other.contiguous
            and self.end == other.ipa
            and self.pa + self.size == other.pa
        )

    def part(self, start: int, end: int) -> "LeafRun":
        """Return the leaves from one input address to another, both between leaves."""
        count = (end - start) >> self.level.shift
        return evolve(self, ipa=start, pa=self.pa + start - self.ipa, count=count)


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
    levels: Sequence[Level], ipa: int, pa: int, size: int, *, groups: bool
) -> list[LeafRun]:
    """Return the largest leaves that map a range, in the order of their addresses.

    Args:
        levels: The levels that may be used, the largest leaf first, pages last.
        ipa: Input address in bytes, a multiple of the page size.
        pa: Output address in bytes, likewise.
        size: Bytes, likewise.
        groups: Whether to mark whole contiguous groups.
    """
    runs: list[LeafRun] = []
    gaps = [(ipa, ipa + size)] if size else []
    for level in levels:
        if (ipa ^ pa) & (level.entry_size - 1):
            continue  # both addresses of a leaf are multiples of its size
        rest = []
        for start, end in gaps:
            inside = _inside(start, end, level.entry_size)
            if inside is None:
                rest.append((start, end))
                continue
            first, last = inside
            run = LeafRun(level, first, pa + first - ipa, (last - first) >> level.shift)
            runs += _grouped(run) if groups else [run]
            rest += [gap for gap in ((start, first), (last, end)) if gap[0] < gap[1]]
        gaps = rest
    return sorted(runs, key=lambda run: run.ipa)


def _inside(start: int, end: int, unit: int) -> tuple[int, int] | None:
    """Return the part of a range between multiples of a unit, if there is any."""
    first, last = -(-start // unit) * unit, end // unit * unit
    return (first, last) if first < last else None


def _grouped(run: LeafRun) -> Iterator[LeafRun]:
    """Mark the whole contiguous groups of a run."""
    unit = run.level.contiguous << run.level.shift
    inside = None
    if unit and not (run.ipa ^ run.pa) & (unit - 1):
        inside = _inside(run.ipa, run.end, unit)
    if inside is None:
        yield run
        return
    first, last = inside
    if run.ipa < first:
        yield run.part(run.ipa, first)
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
