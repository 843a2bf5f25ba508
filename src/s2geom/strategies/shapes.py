# SPDX-License-Identifier: MIT
"""Strategies for geometries and their levels."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import product, starmap

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


def _grid(shapes: Iterable[Geometry]) -> Grid:
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


LEGAL: tuple[tuple[int, Callable[[Geometry], object]], ...] = (
    (1, lambda shape: shape),
    (6, lambda shape: shape.concatenation > 1),
    (1, lambda shape: shape.start_level == TOP_LEVEL[shape.granule]),
    (4, lambda shape: shape.start_level == -1),
    (3, lambda shape: shape.granule == Granule.K64 and shape.ipa_bits > 48),
)
"""How often each kind of legal shape is drawn, and which shapes are of the kind.

Four in ten have a concatenated root; a quarter begin at level -1, and a fifth have 64K
pages and addresses of 52 bits. All are rare among the legal shapes, and walkers fail
there.
"""


def _legal_shapes(cpu: Cpu) -> set[Geometry]:
    widths = range(CHOICE_IPA_BITS[0], CHOICE_IPA_BITS[1] + 1)
    questions = product(Granule, widths, (False, True))
    return {shape for question in questions for shape in cpu.choices(*question)}


def _every_shape() -> set[Geometry]:
    levels = range(-1, LAST_LEVEL + 1)
    return set(starmap(Geometry, product(Granule, range(1, 65), levels, (False, True))))


@lru_cache(maxsize=64)
def _grids(cpu: Cpu, legal: bool | None) -> tuple[Grid, ...]:
    """Return grids that are equally likely to be drawn from."""
    allowed = _legal_shapes(cpu)
    if legal is False:
        return (_grid(_every_shape() - allowed),)
    grids: list[Grid] = []
    for often, is_one in LEGAL:
        grids += [_grid(filter(is_one, allowed))] * often
    if legal is None:
        grids += [_grid(_every_shape())] * len(grids)
    return tuple(filter(None, grids))


def geometries(
    cpu: Cpu | None = None, *, legal: bool | None = None
) -> SearchStrategy[Geometry]:
    """Return a strategy for shapes.

    Args:
        cpu: Whose rules decide; None for the CPU that refuses the least.
        legal: Whether the CPU takes them; None for every shape there is. Of the legal
            ones, four in ten have a concatenated root.
    """
    asked = ANY_CPU if cpu is None else cpu
    return _geometries(asked, legal) if _grids(asked, legal) else st.nothing()


@st.composite
def _geometries(draw: DrawFn, cpu: Cpu, legal: bool | None) -> Geometry:
    # By number, as hypothesis would write the grids into its messages.
    grids = _grids(cpu, legal)
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
