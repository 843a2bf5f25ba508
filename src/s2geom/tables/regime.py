# SPDX-License-Identifier: MIT
"""`Regime`: everything about a walk that does not depend on the address walked.

A geometry says the shape; the CPU and VTCR_EL2 say how wide an output address may be,
where blocks are allowed and who sets the access flag. It is put together once for each
combination and remembered, so that a walk is left with nothing but lookups.
"""

from functools import lru_cache
from typing import NamedTuple

from attrs import frozen

from s2geom.core.address_form import NARROW
from s2geom.core.errors import InvalidArgument, Violation
from s2geom.core.geometry import Geometry, geometry_of
from s2geom.core.granule import LAST_LEVEL
from s2geom.core.numbers import unsigned
from s2geom.cpu.cpu import ANY_CPU, Cpu, optional_cpu
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.tables.layout import BLOCK, TABLE_OR_PAGE, AddressLayout

NO_LEAF = -1
"""In place of the two lowest bits of a leaf, where a level has no leaves."""


class LevelStep(NamedTuple):
    """One level of a walk; a tuple, as walks take it apart."""

    level: int
    shift: int  # log2 of the bytes that one entry maps
    entries: int  # that the index selects from, over all concatenated tables
    leaf: int  # the two lowest bits of a leaf here, or `NO_LEAF`
    address: int  # the bits of a leaf that hold its address in place


@frozen
class Regime:
    """How tables are walked.

    Args:
        geometry: The shape.
        violations: Why the CPU refuses it; a walk then never begins.
        layout: Where descriptors keep addresses.
        table_address: The bits of a table descriptor that hold its address in place.
        output_bits: Width of an output address.
        root_mask: The bits of the root's address that count.
        steps: Every level, start level first.
        leaf_sh: The shareability of every leaf, where descriptors have none (LPA2);
            None if they have, or it is not known.
        sets_access_flag: Whether hardware sets it (VTCR_EL2.HA).
        sets_dirty: Whether hardware makes DBM leaves writable (HA and HD).
    """

    geometry: Geometry
    violations: tuple[Violation, ...]
    layout: AddressLayout
    table_address: int
    output_bits: int
    root_mask: int
    steps: tuple[LevelStep, ...]
    leaf_sh: int | None
    sets_access_flag: bool
    sets_dirty: bool


def regime_of(geometry: object, cpu: object, vtcr: object) -> Regime:
    """Return the regime of a geometry on a CPU.

    Raises:
        InvalidArgument: ``vtcr`` is out of range, contradicts the geometry, or asks for
            a format that is not read here.
        TypeError: A value has the wrong type.
    """
    shape, machine = geometry_of(geometry), optional_cpu(cpu)
    word = None
    if vtcr is not None:
        word = unsigned("vtcr", vtcr)
    return _regime(shape, machine, word)


@lru_cache(maxsize=64)
def _regime(geometry: Geometry, cpu: Cpu | None, word: int | None) -> Regime:
    vtcr = None if word is None else _vtcr(geometry, word)
    machine = ANY_CPU if cpu is None else cpu

    output_bits = machine.pa_bits
    if vtcr is not None:
        output_bits = min(output_bits, vtcr.pa_bits)
    # 64K descriptors follow FEAT_LPA. Where nobody says that a CPU lacks it the wide
    # layout is right for narrow tables too, as what it adds is zero there.
    layout = AddressLayout.of(geometry, lpa=machine.lpa)
    output_bits = min(output_bits, layout.address_bits)

    # Blocks and alignment that only 52-bit outputs bring: as the geometry guesses,
    # unless it is known.
    blocks, alignment = geometry.block_levels, geometry.pgd_alignment
    if cpu is not None or (vtcr is not None and output_bits > NARROW):
        blocks = machine.block_levels(geometry)
    if cpu is not None or vtcr is not None:
        alignment = machine.pgd_alignment(geometry, output_bits)
    steps = tuple(
        LevelStep(
            level=level.number,
            shift=level.shift,
            entries=level.entries,
            leaf=_leaf_bits(level.number, blocks),
            address=layout.in_place_mask & -level.entry_size,
        )
        for level in geometry.table_levels
    )
    return Regime(
        geometry=geometry,
        violations=machine.check(geometry),
        layout=layout,
        table_address=layout.in_place_mask & -geometry.page_size,
        output_bits=output_bits,
        root_mask=-alignment,
        steps=steps,
        leaf_sh=vtcr.sh0 if vtcr is not None and vtcr.ds else None,
        sets_access_flag=vtcr is not None and bool(vtcr.ha),
        sets_dirty=vtcr is not None and bool(vtcr.ha and vtcr.hd),
    )


def _leaf_bits(level: int, blocks: frozenset[int]) -> int:
    if level == LAST_LEVEL:
        return TABLE_OR_PAGE
    return BLOCK if level in blocks else NO_LEAF


OTHER_FORMATS = {
    "d128": "descriptors of 128 bits (VMSAv9-128)",
    "s2pie": "permissions that are indices into S2PIR_EL2",
}
"""Bits of VTCR_EL2 under which a descriptor's bits mean something else."""


def _vtcr(geometry: Geometry, word: int) -> VTCR_EL2:
    vtcr = VTCR_EL2.from_int(word)
    for name, means in OTHER_FORMATS.items():
        if getattr(vtcr, name):
            raise InvalidArgument(
                f"vtcr has {name.upper()}=1, which makes {means}; only VMSAv8-64 "
                "tables with direct permissions are read here"
            )
    shape = vtcr.walk.geometry
    if shape != geometry:
        other = "no shape, as its lint() says" if shape is None else repr(shape)
        raise InvalidArgument(f"vtcr describes {other}, but the geometry is {geometry}")
    return vtcr
