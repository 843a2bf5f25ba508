# SPDX-License-Identifier: MIT
"""Strategies for descriptors, tables and images of memory."""

from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from s2geom.build.builder import TableBuilder
from s2geom.build.footprint import Footprint, footprint
from s2geom.core.geometry import Geometry, Level
from s2geom.core.granule import LAST_LEVEL, Granule
from s2geom.strategies.shapes import (
    geometries,
    ipas,
    page_ranges,
)
from s2geom.strategies.words import any_bits, roots
from s2geom.tables.attributes import Attributes
from s2geom.tables.columns import Columns, scan_columns
from s2geom.tables.descriptor import Descriptor
from s2geom.tables.faults import Fault
from s2geom.tables.layout import AddressLayout
from s2geom.tables.memory import Memory
from s2geom.tables.scan import Mapping, scan
from s2geom.tables.trace import Trace, trace
from s2geom.tables.walk import Translation, walk

# Descriptors


def address_layouts(granule: Granule) -> SearchStrategy[AddressLayout]:
    """Return a strategy for the address layouts that a page size has.

    Args:
        granule: The page size.
    """
    wide = AddressLayout.LPA if granule is Granule.K64 else AddressLayout.LPA2
    return st.sampled_from((AddressLayout.BITS48, wide))


def attributes() -> SearchStrategy[Attributes]:
    """Return a strategy for the attributes of a leaf, from the default on."""
    return st.builds(
        Attributes,
        s2ap=st.sampled_from((3, 1, 2, 0)),
        memattr=st.sampled_from(range(15, -1, -1)),
        sh=st.sampled_from((3, 2, 1, 0, None)),
        af=st.sampled_from((True, False)),
        xn=st.integers(0, 3),
        dbm=st.booleans(),
        fnxs=st.booleans(),
        nt=st.booleans(),
        ns=st.booleans(),
        software=st.integers(0, 7),
        pbha=st.integers(0, 15),
        amec=st.booleans(),
    )


def descriptors(geometry: Geometry | None = None) -> SearchStrategy[Descriptor]:
    """Return a strategy for descriptors: leaves, tables, and any word at all.

    Args:
        geometry: The shape whose tables they are from; None for any legal one.
    """
    return _descriptors(geometry)


@st.composite
def _descriptors(draw: DrawFn, geometry: Geometry | None) -> Descriptor:
    shape = geometry or draw(geometries(legal=True))
    level = draw(st.sampled_from(shape.table_levels[::-1]))
    choices = [any_bits(64)]
    if level.leaf:
        choices.append(_leaves(shape, level))
    if level.number != LAST_LEVEL:
        choices.append(
            _multiples(shape.page_size).map(
                lambda address: int(Descriptor.table(shape, level.number, address))
            )
        )
    # What is right first: a reader sees more in a page than in a word of noise.
    word = draw(st.one_of(choices[::-1]))
    return Descriptor.from_int(word, shape, level.number)


def _leaves(geometry: Geometry, level: Level) -> SearchStrategy[int]:
    return st.builds(
        lambda address, given, group: int(
            Descriptor.leaf(geometry, level.number, address, given, contiguous=group)
        ),
        _multiples(level.entry_size),
        attributes().filter(lambda given: not given.nt),
        st.booleans() if level.contiguous else st.just(False),
    )


def _multiples(unit: int) -> SearchStrategy[int]:
    # Below 2^48, which every layout holds.
    return st.integers(0, (1 << 48) // unit - 1).map(lambda number: number * unit)


# Tables with their truth


Placement = tuple[int, int, int, Attributes]
"""``(ipa, pa, size, attributes)``."""


@frozen
class TableImage:
    """Tables in memory, and what they were made to map.

    Args:
        geometry: Their shape.
        root: Physical address of the PGD, in bytes.
        mappings: What is mapped, as ``(ipa, pa, size, attributes)``, in the order in
            which it was; none of them overlap.
    """

    geometry: Geometry
    root: int
    mappings: tuple[Placement, ...]

    def builder(self) -> TableBuilder:
        """Return a new builder that has mapped it all."""
        tables = TableBuilder(self.geometry, self.root)
        for ipa, pa, size, given in self.mappings:
            tables.map(ipa, pa, size, attributes=given)
        return tables

    @property
    def images(self) -> dict[int, bytes]:
        """The tables, as `TableBuilder.images` gives them."""
        return self.builder().images()

    @property
    def memory(self) -> Memory:
        """The tables, as what `walk` and `scan` read from."""
        return Memory(self.images)

    def output_address(self, ipa: int) -> int | None:
        """Return where an IPA is, by what was asked for; None where nothing is."""
        for start, pa, size, _ in self.mappings:
            if start <= ipa < start + size:
                return pa + ipa - start
        return None


def table_images(
    geometry: Geometry | None = None, *, least: int = 0, most: int = 4
) -> SearchStrategy[TableImage]:
    """Return a strategy for table images with their truth.

    They have pages, blocks, contiguous groups and ranges that end in the middle of
    one, at both ends of the IPA space and across the seams of the root.

    Args:
        geometry: The shape of the tables; None for any legal one.
        least: Fewest ranges that are mapped, 0 or 1; 0 allows for empty tables.
        most: Most ranges that are mapped.
    """
    return _table_images(geometry, least, most)


@st.composite
def _table_images(
    draw: DrawFn, geometry: Geometry | None, least: int, most: int
) -> TableImage:
    shape = geometry or draw(geometries(legal=True))
    root = draw(roots(shape))
    mappings: list[Placement] = []
    asked = st.lists(_placements(shape), min_size=least, max_size=most)
    for ipa, pa, size, given in draw(asked):
        if all(
            ipa + size <= other or other + length <= ipa
            for other, _, length, _ in mappings
        ):
            mappings.append((ipa, pa, size, given))
    return TableImage(shape, root, tuple(mappings))


_READABLE = (
    Attributes(),
    Attributes(s2ap=1),
    Attributes(xn=2),
    Attributes(memattr=1, xn=2),
)
"""Normal memory, read-only, never executable, a device: a read succeeds in all."""


@st.composite
def _placements(draw: DrawFn, geometry: Geometry) -> Placement:
    """Draw a range that takes few tables, however large it is.

    The draws are equally many whatever the shape: of two failures, hypothesis takes the
    one with fewer draws for the simpler, and that shall not be the one with fewer
    levels.
    """
    page = geometry.page_size
    leaves = [each for each in geometry.table_levels[::-1] if each.leaf]
    level = leaves[draw(st.integers(0, 3)) % len(leaves)]
    unit = level.entry_size
    slots = geometry.ipa_size // unit
    most = min(slots, max(2, level.contiguous + 1))
    count = draw(st.integers(1, most) | st.sampled_from((1, most)))
    seam = (geometry.pgdir_size << geometry.stride) // unit
    last = slots - count
    edges = sorted({0, min(max(0, seam - 1), last), last})
    first = draw(st.integers(0, last) | st.sampled_from(edges))
    target = draw(st.integers(0, (1 << 40) // unit))
    before, after = (draw(st.sampled_from((0, 0, 1, 3))) * page for _ in range(2))
    given = draw(st.sampled_from(_READABLE))
    if unit == page:
        before = after = 0
    # In blocks, both addresses have the same place.
    return (
        first * unit + before,
        target * unit + before,
        count * unit - before - after,
        given,
    )


def walks() -> SearchStrategy[Translation | Fault]:
    """Return a strategy for what `walk` returns, from images and addresses."""
    return _walks()


@st.composite
def _walks(draw: DrawFn) -> Translation | Fault:
    image = draw(table_images())
    mapped = draw(st.booleans())
    if mapped and image.mappings:
        start, _, size, _ = draw(st.sampled_from(image.mappings))
        ipa = start + draw(st.integers(0, size - 1))
    else:
        ipa = draw(ipas(image.geometry))
    return walk(image.geometry, image.root, ipa, image.memory.read)


@st.composite
def columns(draw: DrawFn) -> Columns:
    """Return a strategy for what `scan_columns` returns, from images."""
    image = draw(table_images())
    return scan_columns(image.geometry, image.root, image.memory.read)


@st.composite
def traces(draw: DrawFn) -> Trace:
    """Return a strategy for what `trace` returns, from images and addresses."""
    image = draw(table_images())
    ipa = draw(ipas(image.geometry))
    return trace(image.geometry, image.root, ipa, image.memory.read)


@st.composite
def mapped(draw: DrawFn) -> Mapping:
    """Return a strategy for mappings that a scan finds."""
    image = draw(table_images(least=1))
    found = scan(image.geometry, image.root, image.memory.read)
    return draw(st.sampled_from(tuple(found)))


def footprints(geometry: Geometry | None = None) -> SearchStrategy[Footprint]:
    """Return a strategy for the weight of the tables for a few ranges.

    Args:
        geometry: The shape of the tables; None for any legal one.
    """
    shapes = geometries(legal=True) if geometry is None else st.just(geometry)
    return shapes.flatmap(
        lambda shape: st.builds(
            footprint, st.just(shape), st.lists(page_ranges(shape), max_size=4)
        )
    )
