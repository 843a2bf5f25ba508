# SPDX-License-Identifier: MIT
"""`Cpu`: what the Arm architecture's rules of stage 2 depend on, and its answers.

The rules are in `rules`; the encodings of the ID registers are in `id_registers`.
"""

from collections.abc import Iterable
from typing import cast

from attrs import evolve, field, frozen

from s2geom.core.address_form import WIDE, AddressForm, address_form
from s2geom.core.display import fields_repr
from s2geom.core.errors import InvalidArgument, Violations
from s2geom.core.geometry import (
    Choices,
    Geometry,
    Level,
    geometry_of,
)
from s2geom.core.granule import LAST_LEVEL, Granule, granule_of
from s2geom.core.numbers import flag, integer_within
from s2geom.core.public import loads_older_pickles, public
from s2geom.core.rules import violations_of
from s2geom.core.wording import quoted
from s2geom.cpu.rules import CPU_RULES, ShapeOnCpu, legal_shapes
from s2geom.cpu.sizes import CHOICE_IPA_BITS, PARANGE, address_bits, page_sizes


def _pa_bits(value: int) -> int:
    return address_bits("pa_bits", value)


def _granules(name: str, value: object) -> frozenset[Granule]:
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        members = list(value)
        if all(isinstance(member, Granule) for member in members):
            return frozenset(members)
    raise TypeError(f"{name} must be a set of Granule, got {quoted(value)}")


def _all_granules(value: Iterable[Granule]) -> frozenset[Granule]:
    return _granules("granules", value)


def _lpa2(value: bool | Iterable[Granule]) -> frozenset[Granule]:
    if isinstance(value, bool):
        return frozenset({Granule.K4, Granule.K16}) if value else frozenset()
    granules = _granules("lpa2", value)
    if Granule.K64 in granules:
        message = "lpa2 is for 4K and 16K granules; 64K has 52 bits by lpa"
        raise InvalidArgument(message)
    return granules


def _lpa2_both_stages(value: Iterable[Granule] | None) -> frozenset[Granule]:
    # None stays until lpa2 is known, in __attrs_post_init__.
    name = "lpa2_both_stages"
    return cast(frozenset[Granule], None) if value is None else _granules(name, value)


def _lpa(value: bool | None) -> bool:
    # None stays until the physical addresses are known, in __attrs_post_init__.
    return cast(bool, None) if value is None else flag("lpa", value)


@public
@loads_older_pickles
@frozen(repr=False, cache_hash=True)
class Cpu:
    """What the architecture's rules of stage 2 depend on.

    Args:
        pa_bits: Physical address size, ID_AA64MMFR0_EL1.PARange: 32, 36, 40, 42, 44,
            48, 52 or 56.
        granules: Granules that stage 2 implements.
        lpa: FEAT_LPA; None means as ``pa_bits`` says (it is there above 48).
        lpa2: FEAT_LPA2 at stage 2: a bool, or the granules (4K, 16K) that have it.
        ttst: FEAT_TTST, small translation tables.
        aarch32_el1: Whether EL1 can be AArch32.
        lpa2_both_stages: Granules (4K, 16K) for which the ID registers tell of
            FEAT_LPA2 at stage 1 and at stage 2, each in a field of its own. KVM asks
            for both, the architecture for ``lpa2`` alone. None means as ``lpa2``.

            .. versionadded:: 0.2.0

    Raises:
        InvalidArgument: A size that no PARange encodes, ``lpa=False`` above 48 bits, or
            a granule in ``lpa2_both_stages`` that is not in ``lpa2``.
        TypeError: A value has the wrong type.

    Source: Arm ARM D24, ID_AA64MMFR0_EL1 to ID_AA64MMFR2_EL1.
    """

    __repr__ = fields_repr

    pa_bits: int = field(converter=_pa_bits)
    granules: frozenset[Granule] = field(
        default=frozenset(Granule), converter=_all_granules, kw_only=True
    )
    lpa: bool = field(default=None, converter=_lpa, kw_only=True)
    lpa2: frozenset[Granule] = field(default=False, converter=_lpa2, kw_only=True)
    ttst: bool = field(default=False, kw_only=True)
    aarch32_el1: bool = field(default=False, kw_only=True)
    lpa2_both_stages: frozenset[Granule] = field(
        default=None, converter=_lpa2_both_stages, kw_only=True
    )

    def __attrs_post_init__(self) -> None:
        if self.lpa is None:
            object.__setattr__(self, "lpa", self.pa_bits > 48)
        elif not self.lpa and self.pa_bits > 48:
            message = f"lpa=False contradicts pa_bits={self.pa_bits}: FEAT_LPA is what "
            raise InvalidArgument(message + "gives more than 48 bits")
        flag("ttst", self.ttst)
        flag("aarch32_el1", self.aarch32_el1)
        if self.lpa2_both_stages is None:
            object.__setattr__(self, "lpa2_both_stages", self.lpa2)
        elif not self.lpa2_both_stages <= self.lpa2:
            raise InvalidArgument(
                "lpa2_both_stages must be page sizes that lpa2 has, "
                f"{page_sizes(self.lpa2)}, got {page_sizes(self.lpa2_both_stages)}"
            )

    @classmethod
    def from_id_registers(
        cls,
        mmfr0: int,
        mmfr1: int = 0,
        mmfr2: int = 0,
        *,
        mmfr3: int = 0,
        pfr0: int = 0,
    ) -> "Cpu":
        """Read a CPU from its ID registers, as a debugger or a dump shows them.

        Args:
            mmfr0: ID_AA64MMFR0_EL1, for PARange and the granules at stage 2.
            mmfr1: ID_AA64MMFR1_EL1; no field of it decides about shapes.
            mmfr2: ID_AA64MMFR2_EL1, for FEAT_TTST.
            mmfr3: ID_AA64MMFR3_EL1. FEAT_D128 is known, but its tables are not
                VMSAv8-64's, so it changes nothing here.
            pfr0: ID_AA64PFR0_EL1, for AArch32 at EL1; 0 says nothing about it.

        Raises:
            UnreadableInput: A field has a reserved encoding.
            InvalidArgument: A word is not 0 to 2^64 - 1.
            TypeError: A word is no integer.

        Source: Arm ARM D24, ID_AA64MMFR0_EL1, ID_AA64MMFR2_EL1, ID_AA64MMFR3_EL1 and
        ID_AA64PFR0_EL1.

        >>> cortex_a72 = Cpu.from_id_registers(0x1124)
        >>> cortex_a72.pa_bits, sorted(cortex_a72.granules)
        (44, [Granule.K4, Granule.K64])
        """
        # Here, since only this method needs the registers' declarations.
        from s2geom.cpu.id_registers import capabilities  # noqa: PLC0415

        return cls(**capabilities(mmfr0, mmfr1, mmfr2, mmfr3, pfr0))

    # Legality

    def check(self, geometry: Geometry) -> Violations:
        """Return every rule of the architecture that a shape breaks on this CPU.

        Args:
            geometry: The shape; its ``lpa2`` is VTCR_EL2.DS.

        Returns:
            A violation for each broken rule, in the order of the architecture's own
            checks; empty means legal.

        Raises:
            TypeError: It is no `Geometry`.

        Source: Arm ARM D8.2; pseudocode AArch64.S2TxSZFaults, AArch64.S2InvalidSL and
        AArch64.S2InconsistentSL.

        >>> [why] = Cpu(40).check(Geometry(Granule.K4, 40, 0))
        >>> why.rule, why.given, why.limit
        ('start-level-needs-pa', 0, 1)
        """
        return violations_of(CPU_RULES, ShapeOnCpu(self, geometry_of(geometry)))

    def choices(self, granule: int, ipa_bits: int, lpa2: bool | None = None) -> Choices:
        """Return every legal shape for an IPA width, shallowest tree last.

        Args:
            granule: Page size; its page shift is accepted too.
            ipa_bits: Width of the IPA in bits, 16..56.
            lpa2: VTCR_EL2.DS; None means on where the CPU has it, as KVM does.
                Ignored for 64K pages, where it does not exist.

        Returns:
            The shapes, from the lowest start level to the highest; empty when the
            CPU cannot translate the width with these pages.

        Raises:
            InvalidArgument: A value is outside its range.
            TypeError: A value has the wrong type.

        >>> [(g.start_level, g.concatenation) for g in Cpu(44).choices(12, 40)]
        [(0, 1), (1, 2)]
        """
        granule = granule_of(granule)
        ipa_bits = integer_within("ipa_bits", ipa_bits, *CHOICE_IPA_BITS)
        ds = granule in self.lpa2 if lpa2 is None else flag("lpa2", lpa2)
        return legal_shapes(self, granule, ipa_bits, ds and granule is not Granule.K64)

    def concatenation_is_mandatory(
        self, granule: int, ipa_bits: int, lpa2: bool | None = None
    ) -> bool:
        """Return whether every legal shape has more than one table at the start level.

        It follows from the start levels that the CPU has, so it depends on its
        physical addresses, not on the width of the IPA alone.

        Args:
            granule: Page size; its page shift is accepted too.
            ipa_bits: Width of the IPA in bits, 16..56.
            lpa2: VTCR_EL2.DS, as for `choices`.

        Returns:
            False, too, where there is no legal shape at all.

        Raises:
            InvalidArgument: A value is outside its range.
            TypeError: A value has the wrong type.

        Source: Arm ARM R_DXBSH and R_SRKBC; pseudocode AArch64.S2InvalidSL.

        >>> Cpu(40).concatenation_is_mandatory(12, 40)
        True
        >>> Cpu(44).concatenation_is_mandatory(12, 40)
        False
        """
        legal = self.choices(granule, ipa_bits, lpa2)
        return bool(legal) and all(shape.concatenation > 1 for shape in legal)

    # What a shape has on this CPU

    def block_levels(self, geometry: Geometry) -> frozenset[int]:
        """Return the levels of a tree at which a leaf may be a block on this CPU.

        64K pages have blocks at level 1 where the physical addresses have 52 bits,
        whatever the width of the IPA; 4K have them at level 0 and 16K at level 1 with
        LPA2.

        Raises:
            TypeError: It is no `Geometry`.

        Source: pseudocode AArch64.BlockDescSupported, which asks for the physical
        addresses where the Arm ARM's text asks for FEAT_LPA.

        >>> sorted(Cpu(52).block_levels(Geometry(Granule.K64, 48, 1)))
        [1, 2]
        """
        shape = geometry_of(geometry)
        return address_form_on(self, shape).blocks_from(shape.start_level)

    def table_levels(self, geometry: Geometry) -> tuple[Level, ...]:
        """Return every level of a tree, with the blocks that this CPU has there.

        Raises:
            TypeError: It is no `Geometry`.

        >>> [level.leaf for level in Cpu(52).table_levels(Geometry(Granule.K64, 48, 1))]
        ['block', 'block', 'page']
        """
        blocks = self.block_levels(geometry)
        return tuple(
            level
            if level.number == LAST_LEVEL
            else evolve(level, leaf="block" if level.number in blocks else None)
            for level in geometry.table_levels
        )

    def pgd_alignment(self, geometry: Geometry, pa_bits: int | None = None) -> int:
        """Return the bytes that the PGD's base address is a multiple of on this CPU.

        It is the PGD's own size, but at least 64 bytes where VTTBR_EL2.BADDR holds
        52-bit addresses: with LPA2, and with 64K pages and a 52-bit output.

        Args:
            geometry: The shape.
            pa_bits: The output size that VTCR_EL2.PS asks for: 32, 36, 40, 42, 44, 48
                or 52 bits; None means as much as the CPU has.

        Raises:
            InvalidArgument: ``pa_bits`` is no such size.
            TypeError: A value has the wrong type.

        Source: Arm ARM VTTBR_EL2.BADDR; pseudocode AArch64.S2TTBaseAddress.

        >>> four_entries = Geometry(Granule.K64, 31, 2)
        >>> Cpu(48).pgd_alignment(four_entries), Cpu(52).pgd_alignment(four_entries)
        (32, 64)
        """
        shape = geometry_of(geometry)
        if pa_bits is None:
            pa_bits = self.pa_bits
        elif _pa_bits(pa_bits) > WIDE:
            message = f"pa_bits must be at most {WIDE} here, got {pa_bits}"
            raise InvalidArgument(message + ": VMSAv8-64 has no larger output")
        return address_form_on(self, shape, pa_bits).pgd_alignment(shape.pgd_size)


def address_form_on(cpu: Cpu, shape: Geometry, ps_bits: int = WIDE) -> AddressForm:
    """Return how physical addresses are held on a CPU with a shape's tables.

    Args:
        cpu: The CPU.
        shape: The shape; its ``lpa2`` takes effect where the CPU has LPA2.
        ps_bits: The size that VTCR_EL2.PS asks for in bits.
    """
    ds = shape.lpa2 and shape.granule in cpu.lpa2
    return address_form(shape.granule, ds, cpu.lpa, cpu.pa_bits, ps_bits)


ANY_CPU = Cpu(56, lpa2=True, ttst=True, aarch32_el1=True)
"""A CPU with every feature: what it refuses, every CPU refuses."""


def optional_cpu(value: object) -> Cpu | None:
    """Return a CPU, or None.

    Raises:
        TypeError: It is anything else.
    """
    if value is None or isinstance(value, Cpu):
        return value
    message = f"cpu must be a Cpu or None, got {quoted(value)}"
    if type(value) is int and value in PARANGE:
        message += f"; Cpu({value}) is a CPU with {value}-bit physical addresses"
    raise TypeError(message)


def cpu_of(value: object) -> Cpu:
    """Return a CPU, or for None the one with every feature.

    Raises:
        TypeError: It is anything else.
    """
    return optional_cpu(value) or ANY_CPU
