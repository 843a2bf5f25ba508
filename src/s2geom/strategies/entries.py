# SPDX-License-Identifier: MIT
"""Strategies for descriptors and their attributes."""

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from s2geom.core.geometry import Geometry
from s2geom.core.granule import LAST_LEVEL, Granule
from s2geom.strategies.addresses import output_addresses, word_bits
from s2geom.strategies.shapes import geometries
from s2geom.tables.attributes import Attributes
from s2geom.tables.descriptor import Descriptor
from s2geom.tables.layout import AddressLayout


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


@st.composite
def descriptors(draw: DrawFn, geometry: Geometry | None = None) -> Descriptor:
    """Return a strategy for descriptors: leaves, tables, and any word at all.

    Args:
        geometry: The shape whose tables they are from; None for any legal one.
    """
    shape = draw(geometries(legal=True)) if geometry is None else geometry
    level = draw(st.sampled_from(shape.table_levels[::-1]))
    kinds = ["leaf"] * bool(level.leaf) + ["table"] * (level.number != LAST_LEVEL)
    kind = draw(st.sampled_from([*kinds, "any word"]))
    if kind == "any word":
        return Descriptor.from_int(draw(word_bits(64)), shape, level.number)
    if kind == "table":
        page = shape.page_size
        address = draw(output_addresses(shape, page, page))
        return Descriptor.table(shape, level.number, address)
    size = level.entry_size
    return Descriptor.leaf(
        shape,
        level.number,
        draw(output_addresses(shape, size, size)),
        draw(attributes().filter(lambda values: not values.nt)),
        contiguous=draw(st.booleans()) if level.contiguous else False,
    )
