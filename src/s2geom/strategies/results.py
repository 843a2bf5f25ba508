# SPDX-License-Identifier: MIT
"""Strategies for what `walk`, `trace`, `scan` and `footprint` return."""

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from s2geom.build.footprint import Footprint, footprint
from s2geom.core.geometry import Geometry
from s2geom.strategies.addresses import page_ranges, word_bits
from s2geom.strategies.images import table_images
from s2geom.strategies.shapes import geometries, levels
from s2geom.tables.columns import Columns, scan_columns
from s2geom.tables.faults import Fault
from s2geom.tables.kernel_dump import KernelRun, kernel_dump, parse_kernel_dump
from s2geom.tables.scan import Invalid, Mapping, scan
from s2geom.tables.trace import Trace, trace
from s2geom.tables.walk import Translation, walk


@st.composite
def walks(draw: DrawFn) -> Translation | Fault:
    """Return a strategy for what `walk` returns, from images and addresses."""
    image = draw(table_images())
    ipa = draw(image.addresses())
    return walk(image.geometry, image.root, ipa, image.memory.read)


@st.composite
def traces(draw: DrawFn) -> Trace:
    """Return a strategy for what `trace` returns, from images and addresses."""
    image = draw(table_images())
    ipa = draw(image.addresses())
    return trace(image.geometry, image.root, ipa, image.memory.read)


@st.composite
def scanned(draw: DrawFn) -> Mapping:
    """Return a strategy for the mappings that `scan` yields."""
    image = draw(table_images())
    mappings = scan(image.geometry, image.root, image.memory.read)
    return draw(st.sampled_from([*mappings]))


@st.composite
def columns(draw: DrawFn) -> Columns:
    """Return a strategy for what `scan_columns` returns."""
    image = draw(table_images())
    return scan_columns(image.geometry, image.root, image.memory.read)


@st.composite
def invalid_runs(draw: DrawFn) -> Invalid:
    """Return a strategy for what ``scan(invalid=True)`` yields between mappings."""
    level = draw(levels())
    word = draw(word_bits(64)) & ~1
    first, count = draw(st.integers(0, level.entries - 1)), draw(st.integers(1, 64))
    size = level.entry_size
    return Invalid(first * size, count * size, word or 2, level.number)


@st.composite
def kernel_runs(draw: DrawFn) -> KernelRun:
    """Return a strategy for the lines that `parse_kernel_dump` reads."""
    image = draw(table_images())
    lines = kernel_dump(image.geometry, image.root, image.memory.read)
    return draw(st.sampled_from(parse_kernel_dump("\n".join(lines))))


@st.composite
def footprints(draw: DrawFn, geometry: Geometry | None = None) -> Footprint:
    """Return a strategy for the weight of the tables for a few ranges.

    Args:
        geometry: The shape of the tables; None for any legal one.
    """
    shape = draw(geometries(legal=True)) if geometry is None else geometry
    return footprint(shape, draw(st.lists(page_ranges(shape), max_size=4)))
