# SPDX-License-Identifier: MIT
"""`TableImage`: tables in memory with what they map, and where walkers break."""

from functools import lru_cache
from typing import Any

from attrs import frozen
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from s2geom.build.builder import TableBuilder
from s2geom.core.display import PrintedAsRepr
from s2geom.core.geometry import Geometry, Level
from s2geom.core.granule import LAST_LEVEL
from s2geom.cpu.cpu import ANY_CPU
from s2geom.strategies.addresses import ipas, output_addresses, roots
from s2geom.strategies.differences import Placement, difference, placement_text
from s2geom.strategies.shapes import geometries
from s2geom.tables.attributes import Attributes
from s2geom.tables.memory import Memory


@frozen(repr=False)
class TableImage(PrintedAsRepr):
    """Tables in memory, and what they were made to map.

    The ``repr`` is Python that makes the image again.

    Args:
        geometry: Their shape.
        root: Physical address of the PGD, in bytes.
        mappings: What is mapped, as ``(ipa, pa, size, attributes)``, in the order in
            which it was; none of them overlap.
    """

    geometry: Geometry
    root: int
    mappings: tuple[Placement, ...]

    def builder(self, *, record: bool = False) -> TableBuilder:
        """Return a new builder that has mapped it all, and recorded it if asked to."""
        tables = TableBuilder(self.geometry, self.root, record=record)
        for ipa, pa, size, attributes in self.mappings:
            tables.map(ipa, pa, size, attributes=attributes)
        return tables

    @property
    def images(self) -> dict[int, bytes]:
        """The tables, as `TableBuilder.images` gives them."""
        return dict(_built(self))

    @property
    def memory(self) -> Memory:
        """The tables, as what `walk` and `scan` read from.

        A root smaller than a page is followed by zeros, so a whole page can be read.
        """
        return Memory(whole_pages(self.geometry, self.images))

    def output_address(self, ipa: int) -> int | None:
        """Return where an IPA is, by `mappings`; None where nothing is mapped."""
        for start, pa, size, _ in self.mappings:
            if start <= ipa < start + size:
                return pa + ipa - start
        return None

    def difference(self, tables: Any, *, attributes: bool = True) -> str | None:
        """Return what is wrong with tables that are to map the same, in a sentence.

        They must map all of `mappings` and nothing else, and each contiguous group must
        be whole. Blocks or pages are the builder's choice.

        Args:
            tables: Bytes by their physical address; the PGD is at ``root``.
            attributes: Whether attributes count.

        Returns:
            The lowest address that is wrong, what it must be and what it is; None if
            the tables are right.

        .. versionadded:: 0.2.0
        """
        rows = self.mappings
        shape, root = self.geometry, self.root
        return difference(shape, root, rows, tables, attributes=attributes)

    @property
    def places(self) -> dict[int, str]:
        """Addresses where walkers break, and what is there.

        The ends of the IPA space, of mappings and of concatenated tables, either side
        of each; the middle of mappings; and addresses that differ from a mapping's in
        one bit of the index at a level, which a wrong mask or shift takes for it.
        """
        shape = self.geometry
        found: dict[int, str] = {}
        for number, (ipa, _, size, _) in enumerate(self.mappings):
            last, middle = ipa + size - 1, ipa + size // 2 + 1
            found |= {
                ipa: f"the first byte of mappings[{number}]",
                last: f"the last byte of mappings[{number}]",
                middle: f"inside mappings[{number}]",
                ipa - 1: f"the byte before mappings[{number}]",
                last + 1: f"the byte after mappings[{number}]",
            }
            for bit in _index_bits(shape):
                for place in (ipa ^ 1 << bit, last ^ 1 << bit):
                    other = f"mappings[{number}] with bit {bit} of the IPA changed"
                    found.setdefault(place, other)
        table = shape.pgdir_size << shape.stride
        for number in range(1, shape.concatenation):
            found.setdefault(number * table, f"the first byte of root table {number}")
            end = f"the last byte of root table {number - 1}"
            found.setdefault(number * table - 1, end)
        last = shape.ipa_size - 1
        found.setdefault(0, "the first byte of the IPA space")
        found.setdefault(last, "the last byte of the IPA space")
        found.setdefault(last & -shape.page_size, "the last page of the IPA space")
        return {ipa: what for ipa, what in found.items() if 0 <= ipa <= last}

    def addresses(self) -> SearchStrategy[int]:
        """Return a strategy for IPAs: most are `places`, some are any others."""
        return addresses_of(self)

    def __repr__(self) -> str:
        mappings = ", ".join(map(placement_text, self.mappings))
        comma = "," * (len(self.mappings) == 1)
        return f"TableImage({self.geometry!r}, {self.root:#x}, ({mappings}{comma}))"


@lru_cache(maxsize=4)
def _built(image: TableImage) -> dict[int, bytes]:
    return image.builder().images()


def whole_pages(geometry: Geometry, images: dict[int, bytes]) -> dict[int, bytes]:
    """Return tables, each followed by zeros up to the end of its last page."""
    page = geometry.page_size
    return {
        address: table.ljust(-(-len(table) // page) * page, b"\0")
        for address, table in images.items()
    }


def _index_bits(geometry: Geometry) -> list[int]:
    """Return the lowest and the highest bit of each index, and all of the root's."""
    root, *levels = geometry.table_levels
    bits = {root.shift + bit for bit in range(root.index_bits)}
    for level in levels:
        bits |= {level.shift, level.shift + level.index_bits - 1}
    return sorted(bits)


@st.composite
def addresses_of(draw: DrawFn, image: TableImage) -> int:
    """Draw an address of an image, most often one of its `places`."""
    kinds = ("place", "place", "place", "last page", "mapped", "any")
    kind = draw(st.sampled_from(kinds))
    if kind == "last page":
        return image.geometry.ipa_size - draw(st.integers(1, image.geometry.page_size))
    if kind == "mapped" and image.mappings:
        start, _, size, _ = draw(st.sampled_from(image.mappings))
        return start + draw(st.integers(0, size - 1))
    if kind == "any":
        return draw(ipas(image.geometry))
    return draw(st.sampled_from([*image.places]))


# How they are made

READABLE = (
    Attributes(),
    Attributes(s2ap=1),
    Attributes(xn=2),
    Attributes(memattr=1, xn=2),
    Attributes(dbm=True, fnxs=True, ns=True, software=7, pbha=15, amec=True),
)
"""Memory, read-only, never executable, a device, and every bit around the address.

A read succeeds in all of them.
"""


@st.composite
def table_images(
    draw: DrawFn,
    geometry: Geometry | None = None,
    *,
    least: int = 1,
    most: int = 4,
    attributes: bool = True,
    blocks: bool = True,
) -> TableImage:
    """Return a strategy for table images with their truth.

    They have pages, blocks, contiguous groups and ranges that end in the middle of
    one, at both ends of the IPA space and across the seams of the root. The root and
    what is mapped to are as wide as the descriptors' addresses.

    Args:
        geometry: The shape of the tables; None for any legal one. If no CPU can walk
            tables of this shape, the example is discarded.
        least: Fewest ranges that are mapped, 0 or 1; 0 allows for empty tables.
        most: Most ranges that are mapped.
        attributes: Whether the ranges differ in attributes; if not, all have the
            default ones.
        blocks: Whether ranges may be as large as the largest block; if not, a range
            has no more pages than a page of descriptors holds.
    """
    shape = draw(geometries(legal=True)) if geometry is None else geometry
    assume(not ANY_CPU.check(shape))
    root = draw(roots(shape))
    mappings: list[Placement] = []
    for placement in draw(
        st.lists(_placements(shape, attributes, blocks), min_size=least, max_size=most)
    ):
        if not any(_overlap(placement, other) for other in mappings):
            mappings.append(placement)
    return TableImage(shape, root, tuple(mappings))


def _overlap(one: Placement, other: Placement) -> bool:
    return one[0] < other[0] + other[2] and other[0] < one[0] + one[2]


def _range_sizes(geometry: Geometry, blocks: bool) -> list[Level]:
    """Return the levels whose entries are as large as ranges shall be.

    They are pages, blocks of each size, and what is too large for one block.
    """
    levels = [
        level
        for level in geometry.table_levels[::-1]
        if level.entry_size <= geometry.ipa_size
    ]
    end = 1 + sum(level.leaf is not None for level in levels)
    return levels[:end] + levels[1:end] if blocks else levels[:1]


@st.composite
def _placements(
    draw: DrawFn, geometry: Geometry, attributes: bool, blocks: bool
) -> Placement:
    """Draw a range that takes few tables, however large it is.

    The draws are equally many whatever the shape: of two failures, hypothesis takes the
    one with fewer draws for the simpler, and that shall not be the one with fewer
    levels.
    """
    level = draw(st.sampled_from(_range_sizes(geometry, blocks)))
    unit = level.entry_size
    slots = geometry.ipa_size // unit
    most = min(slots, max(2, level.contiguous + 1))
    count = draw(st.sampled_from((1, most)) | st.integers(1, most))
    alignment = unit
    skewed = draw(st.sampled_from((False, False, False, True)))
    if skewed and level.leaf:
        # Output addresses that allow no block this large, but many smaller leaves.
        below = min(level.number + 1, LAST_LEVEL)
        alignment, count = 1 << geometry.granule.level_shift(below), 1
    seam = (geometry.pgdir_size << geometry.stride) // unit
    last = slots - count
    edges = sorted({0, min(max(0, seam - 1), last), last})
    first = draw(st.sampled_from(edges) | st.integers(0, last))
    target = draw(output_addresses(geometry, alignment, count * unit))
    offsets = st.sampled_from((0, 0, 0, 1, 3))
    before, after = (draw(offsets) * geometry.page_size for _ in range(2))
    values = draw(st.sampled_from(READABLE if attributes else READABLE[:1]))
    if level.leaf != "block" or skewed:
        before = after = 0
    return (
        first * unit + before,
        target + before,
        count * unit - before - after,
        values,
    )
