# SPDX-License-Identifier: MIT
"""`Regime`: everything about a walk that does not depend on the address walked.

A geometry gives the shape. The CPU and VTCR_EL2 decide how wide an output address may
be, where blocks are allowed, which accesses a leaf allows and who sets the access flag.
A regime is made once for each combination and cached, so a walk only does lookups.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from attrs import frozen

from s2geom.core.address_form import NARROW, WIDE, AddressForm, address_form
from s2geom.core.errors import InvalidArgument, Violation
from s2geom.core.geometry import Geometry, geometry_of
from s2geom.core.numbers import unsigned
from s2geom.cpu.cpu import ANY_CPU, Cpu, optional_cpu
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.tables.attributes import ATTRIBUTE_FIELDS
from s2geom.tables.layout import AddressLayout, leaf_type


@frozen
class Access:
    """Which descriptors allow a kind of access.

    Args:
        mask: The bits of the descriptor that decide.
        values: Their values that allow it.
    """

    mask: int
    values: frozenset[int]


_S2AP, _XN = ATTRIBUTE_FIELDS["s2ap"], ATTRIBUTE_FIELDS["xn"]
_READ, _WRITE = _S2AP.place(0b01), _S2AP.place(0b10)
_DBM = ATTRIBUTE_FIELDS["dbm"].mask

ACCESSES = {
    "read": Access(_READ, frozenset({_READ})),
    "write": Access(_WRITE, frozenset({_WRITE})),
    # XN: 0 executable, 1 at EL0 only, 2 not at all, 3 at EL1 only (FEAT_XNX)
    "execute": Access(_XN.mask, frozenset({_XN.place(0), _XN.place(3)})),
    "execute at EL0": Access(_XN.mask, frozenset({_XN.place(0), _XN.place(1)})),
}
"""What a walk may be for (Arm ARM D8.4; pseudocode AArch64.S2DirectBasePermissions)."""

ACCESSES_WITH_DBM = ACCESSES | {
    "write": Access(_WRITE | _DBM, frozenset({_WRITE, _DBM, _WRITE | _DBM}))
}
"""The same where hardware manages the dirty state."""


class LevelStep(NamedTuple):
    """One level of a walk; a tuple, as walks take it apart."""

    level: int
    shift: int  # log2 of the bytes that one entry maps
    entries: int  # that the index selects from, over all concatenated tables
    leaf: int  # the two lowest bits of a leaf here, or `layout.NO_LEAF`
    address: int  # the bits of a leaf that hold its address in place


@frozen
class Regime:
    """How tables are walked.

    Args:
        geometry: The shape.
        violations: Why the CPU refuses it; every walk then faults.
        ipa_end: The end of what is walked: of the IPA space, or 0 if it is refused.
        layout: Where descriptors keep addresses.
        table_address: The bits of a table descriptor that hold its address in place.
        output_bits: Width of an output address.
        root_mask: The bits of the root's address that count.
        steps: Every level, start level first.
        leaf_sh: The shareability of every leaf, where descriptors have none (LPA2);
            None if they have, or it is not known.
        sets_access_flag: Whether hardware sets it (VTCR_EL2.HA).
        accesses: Which leaves allow an access, by its name. With VTCR_EL2.HA and HD
            hardware makes DBM leaves writable.
    """

    geometry: Geometry
    violations: tuple[Violation, ...]
    ipa_end: int
    layout: AddressLayout
    table_address: int
    output_bits: int
    root_mask: int
    steps: tuple[LevelStep, ...]
    leaf_sh: int | None
    sets_access_flag: bool
    accesses: Mapping[str, Access]


def regime_of(geometry: object, cpu: object, vtcr: object) -> Regime:
    """Return the regime of a geometry on a CPU.

    Raises:
        InvalidArgument: ``vtcr`` is out of range, contradicts the geometry, or asks for
            a format that is not read here.
        TypeError: A value has the wrong type.
    """
    word = None if vtcr is None else unsigned("vtcr", vtcr)
    return _regime(geometry_of(geometry), optional_cpu(cpu), word)


@lru_cache(maxsize=64)
def _regime(geometry: Geometry, cpu: Cpu | None, word: int | None) -> Regime:
    vtcr = VTCR_EL2.from_int(word or 0)  # without one, no bit of it is set
    ps_bits = None
    if word is not None:
        _refuse_unless_described(geometry, vtcr)
        ps_bits = vtcr.pa_bits
    machine = ANY_CPU if cpu is None else cpu
    # 64K descriptors follow FEAT_LPA. Where no CPU is given they are read as with it at
    # any IPA width, which is right with and without it: bits 15:12 are address bits
    # with FEAT_LPA, and RES0 without. Making a descriptor is another question, and
    # `AddressLayout.of` answers it for the CPU without FEAT_LPA where it can.
    layout = AddressLayout.of(geometry, lpa=machine.lpa)
    output_bits = min(machine.pa_bits, ps_bits or WIDE, layout.address_bits)
    form = _address_form(geometry, cpu, ps_bits)
    violations = machine.check(geometry)
    return Regime(
        geometry=geometry,
        violations=violations,
        ipa_end=0 if violations else geometry.ipa_size,
        layout=layout,
        table_address=layout.in_place_mask & -geometry.page_size,
        output_bits=output_bits,
        root_mask=-form.pgd_alignment(geometry.pgd_size),
        steps=_steps(geometry, layout, form.blocks_from(geometry.start_level)),
        leaf_sh=vtcr.sh0 if vtcr.ds else None,
        sets_access_flag=bool(vtcr.ha),
        accesses=ACCESSES_WITH_DBM if vtcr.ha and vtcr.hd else ACCESSES,
    )


def _steps(
    geometry: Geometry, layout: AddressLayout, blocks: frozenset[int]
) -> tuple[LevelStep, ...]:
    return tuple(
        LevelStep(
            level=level.number,
            shift=level.shift,
            entries=level.entries,
            leaf=leaf_type(level.number, blocks),
            address=layout.in_place_mask & -level.entry_size,
        )
        for level in geometry.table_levels
    )


def _address_form(
    geometry: Geometry, cpu: Cpu | None, ps_bits: int | None
) -> AddressForm:
    """Return where blocks are allowed and how the root is aligned.

    Both depend on whether addresses have 52 bits. What is not known of that is taken as
    `Geometry` takes it: they have if the IPA has more than 48 bits.
    """
    guess = WIDE if geometry.ipa_bits > NARROW else NARROW
    if cpu is not None:
        pa_bits = cpu.pa_bits
        ps_bits = min(ps_bits or WIDE, pa_bits)
    else:
        ps_bits = ps_bits or guess
        pa_bits = max(ps_bits, guess)
    lpa = pa_bits >= WIDE  # FEAT_LPA is what gives 52 bits
    return address_form(geometry.granule, geometry.lpa2, lpa, pa_bits, ps_bits)


OTHER_FORMATS = {
    "d128": "descriptors of 128 bits (VMSAv9-128)",
    "s2pie": "permissions that are indices into S2PIR_EL2",
}
"""Bits of VTCR_EL2 under which a descriptor's bits mean something else."""


def _refuse_unless_described(geometry: Geometry, vtcr: VTCR_EL2) -> None:
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
