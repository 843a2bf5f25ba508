# SPDX-License-Identifier: MIT
"""Strategies for geometries and their levels."""

from collections.abc import Collection
from functools import lru_cache

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from s2geom.core.geometry import Geometry, Level
from s2geom.core.granule import LAST_LEVEL, Granule
from s2geom.cpu.cpu import ANY_CPU, Cpu
from s2geom.cpu.sizes import CHOICE_IPA_BITS, TOP_LEVEL
from s2geom.kernel.limits import IPA_MINIMUM

Grid = dict[Granule, dict[int, list[Geometry]]]
"""Shapes by page size and width, the most readable first.

They are drawn in these steps, so that a failing shape shrinks in each of them: to 4K
pages, to 32 bits, to plain descriptors and a root of one table.
"""


def _grid(shapes: Collection[Geometry]) -> Grid:
    grid: Grid = {}
    for shape in sorted(shapes, key=_how_unusual):
        widths = grid.setdefault(shape.granule, {})
        widths.setdefault(shape.ipa_bits, []).append(shape)
    return grid


def _how_unusual(shape: Geometry) -> tuple[int, bool, int, bool, int, int]:
    return (
        shape.granule,
        shape.ipa_bits < IPA_MINIMUM,  # KVM has 32 bits and more
        abs(shape.ipa_bits - IPA_MINIMUM),
        shape.lpa2,
        shape.concatenation,
        -shape.start_level,
    )


@lru_cache(maxsize=64)
def _grids(cpu: Cpu, legal: bool | None) -> tuple[Grid, ...]:
    """Return grids that are equally likely to be drawn from.

    Half of the legal shapes have a concatenated root, a third the most levels that the
    page size can have, and most of these begin at level -1. All are rare among the
    legal shapes, and walkers fail there.
    """
    allowed = {
        shape
        for granule in Granule
        for ipa_bits in range(CHOICE_IPA_BITS[0], CHOICE_IPA_BITS[1] + 1)
        for lpa2 in (False, True)
        for shape in cpu.choices(granule, ipa_bits, lpa2)
    }
    every = [
        Geometry(granule, ipa_bits, start_level, lpa2)
        for granule in Granule
        for ipa_bits in range(1, 65)
        for start_level in range(-1, LAST_LEVEL + 1)
        for lpa2 in (False, True)
    ]
    concatenated = [shape for shape in allowed if shape.concatenation > 1]
    deepest = [
        shape for shape in allowed if shape.start_level == TOP_LEVEL[shape.granule]
    ]
    minus_one = [shape for shape in deepest if shape.start_level == -1]
    legals = [allowed, *[concatenated] * 3, deepest, minus_one]
    chosen: list[Collection[Geometry]] = [*legals, *[every] * 6]
    if legal is not None:
        chosen = [*legals] if legal else [{*every} - allowed]
    return tuple(_grid(shapes) for shapes in chosen if shapes)


def geometries(
    cpu: Cpu | None = None, *, legal: bool | None = None
) -> SearchStrategy[Geometry]:
    """Return a strategy for shapes.

    Args:
        cpu: Whose rules decide; None for the CPU that refuses the least.
        legal: Whether the CPU takes them; None for every shape there is. Of the legal
            ones, half have a concatenated root.
    """
    grids = _grids(ANY_CPU if cpu is None else cpu, legal)
    return _geometries(grids) if grids else st.nothing()


@st.composite
def _geometries(draw: DrawFn, grids: tuple[Grid, ...]) -> Geometry:
    # By number, as the text of a grid would be in each message about a strategy.
    grid = grids[draw(st.integers(0, len(grids) - 1))]
    widths = grid[draw(st.sampled_from([*grid]))]
    shapes = widths[draw(st.sampled_from([*widths]))]
    # A draw even where there is one shape: of two failures, hypothesis takes the one
    # with fewer draws for the simpler.
    return shapes[draw(st.integers(0, 9)) % len(shapes)]


@st.composite
def levels(draw: DrawFn) -> Level:
    """Return a strategy for the levels of all shapes."""
    return draw(st.sampled_from(draw(geometries()).table_levels))
