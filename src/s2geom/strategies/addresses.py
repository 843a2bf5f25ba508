# SPDX-License-Identifier: MIT
"""Strategies for addresses: of a guest, and of the memory that it is mapped to."""

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from s2geom.core.geometry import Geometry, IpaIndex
from s2geom.strategies.shapes import geometries
from s2geom.tables.layout import AddressLayout

ROOM = 16 << 20
"""Bytes above a root that are left for the other tables, which follow it."""


def below(limit: int) -> SearchStrategy[int]:
    """Return a strategy for numbers below a limit, half of them uniformly spread.

    The other half is mostly small: hypothesis prefers that, and it reads well.
    """
    return st.integers(0, limit - 1) | _spread(limit)


@st.composite
def _spread(draw: DrawFn, limit: int) -> int:
    size = limit.bit_length() // 8 + 1
    return draw(word_bits(8 * size)) * limit >> 8 * size


@st.composite
def word_bits(draw: DrawFn, width: int) -> int:
    """Return a strategy for words in which each bit is as likely as another.

    Args:
        width: Bits of the word, a multiple of 8.
    """
    size = width // 8
    return int.from_bytes(draw(st.binary(min_size=size, max_size=size)))


# Of a guest


def ipas(geometry: Geometry) -> SearchStrategy[int]:
    """Return a strategy for the addresses of a shape, in bytes.

    Most of them are where programs break: the two ends of the IPA space, of entries at
    each level, and of the concatenated tables, a byte or a page to either side.

    Args:
        geometry: Whose addresses.
    """
    last = geometry.ipa_size - 1
    ends = st.sampled_from((0, last, last & -geometry.page_size))
    return below(last + 1) | _beside_edges(geometry) | ends


@st.composite
def _beside_edges(draw: DrawFn, geometry: Geometry) -> int:
    last = geometry.ipa_size - 1
    entries = [level.entry_size for level in geometry.table_levels]
    units = [geometry.pgdir_size << geometry.stride, *entries]
    unit = draw(st.sampled_from([size for size in units if size <= last] or [1]))
    number = draw(st.integers(0, geometry.ipa_size // unit))
    aside = draw(st.sampled_from((0, -1, 1, -geometry.page_size)))
    return min(max(0, number * unit + aside), last)


@st.composite
def ipa_indices(draw: DrawFn, geometry: Geometry | None = None) -> IpaIndex:
    """Return a strategy for addresses, taken apart.

    Args:
        geometry: Whose addresses; None for those of any shape.
    """
    shape = draw(geometries()) if geometry is None else geometry
    return shape.split(draw(ipas(shape)))


@st.composite
def page_ranges(draw: DrawFn, geometry: Geometry) -> tuple[int, int]:
    """Return a strategy for ranges ``(ipa, size)`` in bytes, made of whole pages.

    Args:
        geometry: Whose addresses; it has at least one page.
    """
    page = geometry.page_size
    first, last = sorted(draw(ipas(geometry)) & -page for _ in range(2))
    return first, last + page - first


# Of memory


@st.composite
def roots(draw: DrawFn, geometry: Geometry) -> int:
    """Return a strategy for addresses where a root may be, as wide as descriptors hold.

    Args:
        geometry: The shape of the tables.
    """
    limit = 1 << AddressLayout.of(geometry).address_bits
    # A page at least, so that what is built there begins a page.
    alignment = max(geometry.pgd_alignment, geometry.page_size)
    return draw(below((limit - geometry.pgd_size - ROOM) // alignment)) * alignment


@st.composite
def output_addresses(draw: DrawFn, geometry: Geometry, unit: int, size: int) -> int:
    """Return a strategy for what a range may map to, as wide as descriptors hold.

    Args:
        geometry: The shape of the tables.
        unit: Bytes that the address is a multiple of.
        size: Bytes of the range.
    """
    limit = 1 << AddressLayout.of(geometry).address_bits
    return draw(below((limit - size) // unit + 1)) * unit
