# SPDX-License-Identifier: MIT
"""Strategies for register words."""

from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from s2geom.core.errors import InvalidArgument
from s2geom.core.fields import Word
from s2geom.core.geometry import Geometry
from s2geom.cpu.sizes import PA_BITS
from s2geom.registers.ste import STE
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.registers.vttbr import VTTBR_EL2
from s2geom.strategies.shapes import geometries

Value = TypeVar("Value")
Register = TypeVar("Register", bound=Word)


# Words


def register_words(register: type[Register]) -> SearchStrategy[Register]:
    """Return a strategy for any word of a register, reserved bits and all.

    Args:
        register: `VTCR_EL2`, `VTTBR_EL2`, `STE` or another register of this package.
    """
    fields = st.fixed_dictionaries(
        {row.low: st.integers(0, row.mask >> row.low) for row in register.fields()}
    ).map(lambda values: sum(value << low for low, value in values.items()))
    return (fields | any_bits(register.WIDTH)).map(register.from_int)


def any_bits(width: int) -> SearchStrategy[int]:
    """Return a strategy for words in which each bit is as likely as another."""
    # Integers are mostly small, but each bit of a word is as good as another.
    size = width // 8
    return st.binary(min_size=size, max_size=size).map(int.from_bytes)


def vtcrs(*, legal: bool | None = None) -> SearchStrategy[VTCR_EL2]:
    """Return a strategy for VTCR_EL2.

    Args:
        legal: Whether `VTCR_EL2.lint` has nothing to say; None for any word.
    """
    right = st.builds(
        VTCR_EL2.for_geometry,
        geometries(legal=True),
        st.sampled_from(PA_BITS[::-1]),
        ha=st.booleans(),
        vs=st.booleans(),
    )
    if legal:
        return right
    wrong = nearly(right) | register_words(VTCR_EL2)
    return right | wrong if legal is None else wrong.filter(lambda word: word.lint())


def nearly(words: SearchStrategy[Register]) -> SearchStrategy[Register]:
    """Change one bit: a mistake is hardest to see where all else is right."""
    return words.flatmap(
        lambda word: st.integers(0, word.WIDTH - 1).map(
            lambda bit: type(word).from_int(int(word) ^ 1 << bit)
        )
    )


def roots(geometry: Geometry) -> SearchStrategy[int]:
    """Return a strategy for addresses where a root may be."""
    # A page at least, so that what is built there begins a page.
    alignment = max(geometry.pgd_alignment, geometry.page_size)
    return st.integers(0, (1 << 40) // alignment - 1).map(
        lambda number: number * alignment
    )


def vttbrs(
    geometry: Geometry | None = None, *, legal: bool | None = None
) -> SearchStrategy[VTTBR_EL2]:
    """Return a strategy for VTTBR_EL2.

    Args:
        geometry: The tables it points at; None for those of any legal shape.
        legal: Whether the root is where such tables can be; None for any word. What is
            refused depends on the tables, so False takes a ``geometry``.

    Raises:
        InvalidArgument: ``legal`` is False without a ``geometry``.
    """
    if legal is False and geometry is None:
        raise InvalidArgument(
            "legal=False needs a geometry: what is refused depends on the tables"
        )
    shapes = geometries(legal=True) if geometry is None else st.just(geometry)
    right = shapes.flatmap(
        lambda shape: st.builds(
            VTTBR_EL2.for_geometry, st.just(shape), roots(shape), st.integers(0, 255)
        )
    )
    if legal:
        return right
    wrong = nearly(right) | register_words(VTTBR_EL2)
    return (
        right | wrong
        if legal is None
        else wrong.filter(lambda word: word.lint(geometry=geometry))
    )


def stes(*, legal: bool | None = None) -> SearchStrategy[STE]:
    """Return a strategy for words 2 and 3 of an SMMU's stream table entry.

    Args:
        legal: Whether `STE.lint` has nothing to say; None for any words.
    """
    right = geometries(legal=True).flatmap(
        lambda shape: st.builds(
            STE.for_geometry, st.just(shape), roots(shape), vmid=st.integers(0, 255)
        )
    )
    if legal:
        return right.filter(lambda entry: not entry.lint())
    wrong = nearly(right) | register_words(STE)
    return right | wrong if legal is None else wrong.filter(lambda entry: entry.lint())
