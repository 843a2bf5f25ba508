# SPDX-License-Identifier: MIT
"""Strategies for register words."""

from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from s2geom.core.errors import InvalidArgument, Violations
from s2geom.core.fields import Word
from s2geom.core.geometry import Geometry
from s2geom.cpu.sizes import PARANGE
from s2geom.registers.esr import (
    DATA_ABORT,
    ESR_EL2,
    INSTRUCTION_ABORT,
    GuestFault,
)
from s2geom.registers.fault_status import fault_of
from s2geom.registers.ste import STE
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.registers.vttbr import VTTBR_EL2
from s2geom.strategies.addresses import roots, word_bits
from s2geom.strategies.shapes import geometries
from s2geom.tables.layout import AddressLayout

Register = TypeVar("Register", bound=Word)


@st.composite
def register_words(draw: DrawFn, register: type[Register]) -> Register:
    """Return a strategy for any word of a register, reserved bits and all.

    Args:
        register: `VTCR_EL2`, `VTTBR_EL2`, `STE` or another register of this package.
    """
    if draw(st.booleans()):
        return register.from_int(draw(word_bits(register.WIDTH)))
    fields = [
        draw(st.integers(0, row.mask >> row.low)) << row.low
        for row in register.fields()
    ]
    return register.from_int(sum(fields))


@st.composite
def _mistakes(draw: DrawFn, right: SearchStrategy[Register]) -> Register:
    """Draw a word with one bit changed, or any word at all.

    A mistake is hardest to see where all else is right.
    """
    word = draw(right)
    if draw(st.booleans()):
        return draw(register_words(type(word)))
    bit = draw(st.integers(0, word.WIDTH - 1))
    return type(word).from_int(int(word) ^ 1 << bit)


@st.composite
def _right_vtcrs(draw: DrawFn) -> VTCR_EL2:
    shape, pa_bits = draw(geometries(legal=True)), draw(st.sampled_from(PARANGE[::-1]))
    ha, vs = draw(st.booleans()), draw(st.booleans())
    return VTCR_EL2.for_geometry(shape, pa_bits, ha=ha, vs=vs)


def vtcrs(*, legal: bool | None = None) -> SearchStrategy[VTCR_EL2]:
    """Return a strategy for VTCR_EL2.

    Args:
        legal: Whether `VTCR_EL2.lint` finds nothing; None for any word.
    """
    right = _right_vtcrs()
    if legal:
        return right
    wrong = _mistakes(right)
    return right | wrong if legal is None else wrong.filter(lambda word: word.lint())


@st.composite
def _right_vttbrs(draw: DrawFn, geometry: Geometry | None) -> VTTBR_EL2:
    shape = draw(geometries(legal=True)) if geometry is None else geometry
    root, vmid = draw(roots(shape)), draw(st.integers(0, 255))
    bits = AddressLayout.of(shape).address_bits
    return VTTBR_EL2.for_geometry(shape, root, vmid, pa_bits=bits)


def vttbrs(
    geometry: Geometry | None = None, *, legal: bool | None = None
) -> SearchStrategy[VTTBR_EL2]:
    """Return a strategy for VTTBR_EL2.

    Args:
        geometry: The tables it points at; None for those of any legal shape.
        legal: Whether the root is where such tables can be, which may be above 48 bits
            where descriptors hold 52; None for any word. What is refused depends on the
            tables, so False takes a ``geometry``.

    Raises:
        InvalidArgument: ``legal`` is False without a ``geometry``.
    """
    if legal is False and geometry is None:
        raise InvalidArgument(
            "legal=False needs a geometry: what is refused depends on the tables"
        )
    right = _right_vttbrs(geometry)
    if legal:
        return right
    wrong = _mistakes(right)
    if legal is None:
        return right | wrong
    return wrong.filter(lambda word: word.lint(geometry=geometry))


@st.composite
def _right_stes(draw: DrawFn) -> STE:
    shape = draw(geometries(legal=True))
    root, vmid = draw(roots(shape)), draw(st.integers(0, 255))
    return STE.for_geometry(shape, root, AddressLayout.of(shape).address_bits, vmid)


def stes(*, legal: bool | None = None) -> SearchStrategy[STE]:
    """Return a strategy for words 2 and 3 of an SMMU's stream table entry.

    Args:
        legal: Whether an SMMU that has every feature of `STE.lint` accepts the entry;
            None for any words.
    """
    right = _right_stes().filter(lambda entry: not _refused(entry))
    if legal:
        return right
    wrong = _mistakes(_right_stes())
    return right | wrong if legal is None else wrong.filter(_refused)


def _refused(entry: STE) -> Violations:
    return entry.lint(ds=True, stt=True, aarch32=True, vmid_bits=16)


@st.composite
def guest_faults(draw: DrawFn) -> GuestFault:
    """Return a strategy for what ESR_EL2, HPFAR_EL2 and FAR_EL2 tell of a guest."""
    word = ESR_EL2(
        dfsc=draw(st.sampled_from([n for n in range(64) if fault_of(n) is not None])),
        ec=draw(st.sampled_from((DATA_ABORT, INSTRUCTION_ABORT))),
        **draw(
            st.fixed_dictionaries(
                {name: st.integers(0, 1) for name in ("wnr", "s1ptw", "cm", "fnv")}
            )
        ),
    )
    addresses = st.none() | word_bits(64)
    return word.stage2_fault(hpfar=draw(addresses), far=draw(addresses))
