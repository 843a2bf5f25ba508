# SPDX-License-Identifier: MIT
"""`Cpu`: the Arm rules of a stage-2 table's shape. It knows no kernel.

The architecture makes three checks before the first lookup: T0SZ is in range, the start
level is one the CPU has, and T0SZ fits the start level. `RULES` has a row for each way
to fail one of them. *Legal* means that a shape passes on its own: nothing here relies
on an IMPLEMENTATION DEFINED choice, such as clamping a T0SZ that is out of range.
Where implementations and the manual's own text disagree, the pseudocode is followed.
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Generic, TypeVar, cast

from attrs import define, evolve, field, frozen

from s2geom.core.address_form import WIDE, AddressForm, address_form
from s2geom.core.errors import InvalidArgument, UnreadableInput, Violations
from s2geom.core.geometry import (
    Choices,
    Geometry,
    Level,
    geometry_of,
)
from s2geom.core.granule import LAST_LEVEL, MOST_TABLES_SHIFT, Granule, granule_of
from s2geom.core.numbers import flag, integer_within, unsigned
from s2geom.core.public import loads_older_pickles, public
from s2geom.core.rules import Rule, violations, ways_out
from s2geom.core.wording import article, bits, quoted
from s2geom.cpu.sizes import (
    CHOICE_IPA_BITS,
    IPA_AARCH32,
    IPA_MAXIMUM,
    IPA_WITHOUT_LPA2,
    IPA_WITHOUT_TTST,
    LPA2_START_LEVELS,
    PA_BITS,
    START_LEVEL_PA_BITS,
    T0SZ_MAXIMUM,
    T0SZ_MAXIMUM_TTST,
    TOP_LEVEL,
    TTST_START_LEVELS,
    a_page_size,
    address_bits,
    page_sizes,
)


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
@frozen
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
        given = {
            "mmfr0": mmfr0,
            "mmfr1": mmfr1,
            "mmfr2": mmfr2,
            "mmfr3": mmfr3,
            "pfr0": pfr0,
        }
        words = {name: unsigned(name, word) for name, word in given.items()}
        support = {}
        both_stages = set()
        for granule, (at_stage_1, at_stage_2) in _GRANULE_FIELDS.items():
            first, second = at_stage_1.read(words), at_stage_2.read(words)
            support[granule] = first if second is _Support.AS_STAGE_1 else second
            if first is second is _Support.LPA2:
                both_stages.add(granule)
        _D128.read(words)
        return cls(
            _PARANGE.read(words),
            granules={g for g in support if support[g] is not _Support.ABSENT},
            lpa2={g for g in support if support[g] is _Support.LPA2},
            ttst=_ST.read(words),
            aarch32_el1=_EL1.read(words),
            lpa2_both_stages=both_stages,
        )

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
        return violations(RULES, _ShapeOnCpu(self, geometry_of(geometry)))

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
        return _legal(self, granule, ipa_bits, ds and granule is not Granule.K64)

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
"""A CPU that can do anything: it refuses what every CPU refuses."""


def optional_cpu(value: object) -> Cpu | None:
    """Return a CPU, or None.

    Raises:
        TypeError: It is anything else.
    """
    if value is None or isinstance(value, Cpu):
        return value
    raise TypeError(f"cpu must be a Cpu or None, got {quoted(value)}")


def cpu_of(value: object) -> Cpu:
    """Return a CPU, or for None the one that can do anything.

    Raises:
        TypeError: It is anything else.
    """
    return optional_cpu(value) or ANY_CPU


# ID registers


class _Support(Enum):
    """What a granule's field says."""

    ABSENT = "no"
    PRESENT = "yes"
    LPA2 = "yes, with 52-bit addresses"
    AS_STAGE_1 = "as at stage 1"


Meaning = TypeVar("Meaning")


@frozen
class _IdField(Generic[Meaning]):
    """A four-bit field of an ID register, and what its encodings mean."""

    word: str
    name: str
    lowest_bit: int
    meanings: Mapping[int, Meaning]

    def read(self, words: Mapping[str, int]) -> Meaning:
        value = words[self.word] >> self.lowest_bit & 0xF
        if value in self.meanings:
            return self.meanings[value]
        known = ", ".join(map(str, sorted(self.meanings)))
        raise UnreadableInput(
            f"ID_AA64{self.word.upper()}_EL1.{self.name}, bits "
            f"{self.lowest_bit + 3}:{self.lowest_bit}, is {value}, which is reserved; "
            f"the encodings are {known}"
        )


_TGRAN4 = {0: _Support.PRESENT, 1: _Support.LPA2, 15: _Support.ABSENT}
_TGRAN16 = {0: _Support.ABSENT, 1: _Support.PRESENT, 2: _Support.LPA2}
_TGRAN64 = {0: _Support.PRESENT, 15: _Support.ABSENT}
_TGRAN64_2 = {0: _Support.AS_STAGE_1, 1: _Support.ABSENT, 2: _Support.PRESENT}
_TGRAN_2 = {**_TGRAN64_2, 3: _Support.LPA2}

_GRANULE_FIELDS = {
    Granule.K4: (
        _IdField("mmfr0", "TGran4", 28, _TGRAN4),
        _IdField("mmfr0", "TGran4_2", 40, _TGRAN_2),
    ),
    Granule.K16: (
        _IdField("mmfr0", "TGran16", 20, _TGRAN16),
        _IdField("mmfr0", "TGran16_2", 32, _TGRAN_2),
    ),
    Granule.K64: (
        _IdField("mmfr0", "TGran64", 24, _TGRAN64),
        _IdField("mmfr0", "TGran64_2", 36, _TGRAN64_2),
    ),
}
"""What says whether a granule is there: at stage 1, and at stage 2."""

_PARANGE = _IdField("mmfr0", "PARange", 0, dict(enumerate(PA_BITS)))
_ST = _IdField("mmfr2", "ST", 28, {0: False, 1: True})
_D128 = _IdField("mmfr3", "D128", 32, {0: None, 1: None})  # decides about no shape
_EL1 = _IdField("pfr0", "EL1", 4, {0: False, 1: False, 2: True})


# The rules


@define(eq=False)
class _ShapeOnCpu:
    """A shape on a CPU, with what the rules ask about."""

    cpu: Cpu
    shape: Geometry
    granule: Granule = field(init=False)
    ipa_bits: int = field(init=False)
    start: tuple[Granule, int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.granule = self.shape.granule
        self.ipa_bits = self.shape.ipa_bits
        self.start = self.granule, self.shape.start_level

    @property
    def smallest(self) -> int:
        """The narrowest IPA of any CPU with this granule, in bits."""
        return 64 - T0SZ_MAXIMUM_TTST[self.granule]

    @property
    def pa_limit(self) -> int:
        """The widest IPA that the CPU's physical addresses allow, in bits."""
        return max(self.cpu.pa_bits, IPA_AARCH32 if self.cpu.aarch32_el1 else 0)

    @property
    def largest(self) -> int:
        """The widest IPA of this CPU with this granule and descriptor format."""
        narrow = self.granule is not Granule.K64 and not self.shape.lpa2
        return min(self.pa_limit, IPA_WITHOUT_LPA2 if narrow else IPA_MAXIMUM)

    @property
    def takes_lpa2(self) -> bool:
        """Whether the width or the start level is there with LPA2 alone."""
        return self.ipa_bits > IPA_WITHOUT_LPA2 or self.start in LPA2_START_LEVELS

    @property
    def could_have_64k(self) -> bool:
        """Whether 64K pages have this start level, and the CPU has them."""
        has_level = self.shape.start_level >= TOP_LEVEL[Granule.K64]
        return has_level and Granule.K64 in self.cpu.granules

    @property
    def level_exists(self) -> bool:
        return self.shape.start_level >= TOP_LEVEL[self.granule]

    @property
    def narrowest(self) -> int:
        """The narrowest IPA that leaves the start level a bit to index with."""
        return self.shape.pgdir_shift + 1

    @property
    def widest(self) -> int:
        """The widest IPA that 16 tables at the start level resolve."""
        return self.granule.widest_ipa(self.shape.start_level)

    # Phrases of the messages

    @property
    def ipa(self) -> str:
        return f"{article(self.ipa_bits)} {self.ipa_bits}-bit IPA"

    @property
    def ipa_and_t0sz(self) -> str:
        return f"{self.ipa} (T0SZ {self.shape.t0sz})"

    @property
    def elsewhere(self) -> str:
        """The start levels that would fit, as a remedy; nothing where none does."""
        shapes = _legal(self.cpu, self.granule, self.ipa_bits, self.shape.lpa2)
        levels = " or ".join(
            f"at level {shape.start_level}"
            + (f" with {shape.concatenation} tables" if shape.concatenation > 1 else "")
            for shape in reversed(shapes)
        )
        return f"start {levels}" if levels else ""

    @property
    def with_lpa2(self) -> str:
        """What to use where the other format would do."""
        has_it = self.granule in self.cpu.lpa2
        return "LPA2" if has_it else f"LPA2 on a CPU that has it for {self.granule}"

    @property
    def narrower(self) -> str:
        """What to ask for where the IPA is too wide, as a remedy."""
        return f"use an IPA of at most {bits(min(self.widest, self.largest))}"

    @property
    def wider(self) -> str:
        """What to ask for where the start level has no bit to index with."""
        if self.narrowest > self.largest:  # as level -1 has 49, on a CPU with 48
            return ""
        smallest = self.smallest if self.cpu.ttst else IPA_WITHOUT_TTST
        return f"use an IPA of at least {bits(max(self.narrowest, smallest))}"


def _legal(cpu: Cpu, granule: Granule, ipa_bits: int, lpa2: bool) -> Choices:
    cases = (
        _ShapeOnCpu(cpu, Geometry(granule, ipa_bits, level, lpa2))
        for level in range(TOP_LEVEL[granule], LAST_LEVEL + 1)
    )
    # Not check(): whole grids are asked for, and nobody reads why the rest is illegal.
    return Choices(
        case.shape for case in cases if not any(rule.breaks(case) for rule in RULES)
    )


RULES: tuple[Rule[_ShapeOnCpu], ...] = (
    Rule(
        id="granule-not-at-stage-2",
        states="the CPU implements the page size as a stage-2 granule",
        limited_by="cpu",
        breaks=lambda case: case.granule not in case.cpu.granules,
        given=lambda case: str(case.granule),
        limit=lambda case: page_sizes(case.cpu.granules),
        says=lambda case: (
            f"the CPU does not implement {case.granule} pages at stage 2; it "
            f"implements {page_sizes(case.cpu.granules)}"
        ),
        fix=lambda case: (
            f"use {a_page_size(case.cpu.granules)} pages, or a CPU with {case.granule}"
            if case.cpu.granules
            else f"use a CPU that has {case.granule} pages at stage 2"
        ),
        source="Arm ARM D24, ID_AA64MMFR0_EL1.TGran4_2, TGran16_2 and TGran64_2",
    ),
    Rule(
        id="lpa2-with-64k",
        states="LPA2 is a format of 4K and 16K pages",
        limited_by="architecture",
        breaks=lambda case: case.shape.lpa2 and case.granule is Granule.K64,
        given=lambda case: str(case.granule),
        limit=lambda _: "4K, 16K",
        says=lambda _: (
            "64K pages have no LPA2: VTCR_EL2.DS is RES0, and 52-bit addresses come "
            "with FEAT_LPA; LPA2 is for 4K and 16K pages"
        ),
        fix=lambda _: "turn LPA2 off",
        source="Arm ARM D24, VTCR_EL2.DS",
    ),
    Rule(
        id="lpa2-not-implemented",
        states="LPA2 descriptors need a CPU with FEAT_LPA2 for the page size at stage "
        "2",
        limited_by="cpu",
        breaks=lambda case: (
            case.shape.lpa2
            and case.granule is not Granule.K64
            and case.granule not in case.cpu.lpa2
        ),
        given=lambda case: str(case.granule),
        limit=lambda case: page_sizes(case.cpu.lpa2),
        says=lambda case: (
            f"the CPU has no LPA2 for {case.granule} pages at stage 2, so VTCR_EL2.DS "
            f"is RES0; page sizes it has LPA2 for: {page_sizes(case.cpu.lpa2)}"
        ),
        fix=lambda case: ways_out(
            "" if case.takes_lpa2 else "turn LPA2 off",
            f"use a CPU with LPA2 for {case.granule}",
        ),
        source="Arm ARM D24, VTCR_EL2.DS and ID_AA64MMFR0_EL1.TGran4_2, TGran16_2",
    ),
    # Check 1: T0SZ is in range.
    Rule(
        id="t0sz-above-maximum",
        states="T0SZ is at most 48, and at most 47 with 64K pages, on any CPU",
        limited_by="architecture",
        breaks=lambda case: case.ipa_bits < case.smallest,
        given=lambda case: case.shape.t0sz,
        limit=lambda case: T0SZ_MAXIMUM_TTST[case.granule],
        says=lambda case: (
            f"{case.ipa_and_t0sz} is {bits(case.smallest - case.ipa_bits)} below what "
            f"{case.granule} pages translate on any CPU; the smallest IPA they support "
            f"is {bits(case.smallest)} (T0SZ {T0SZ_MAXIMUM_TTST[case.granule]}), with "
            "FEAT_TTST"
        ),
        fix=lambda case: (
            f"use an IPA of at least {bits(case.smallest)}"
            if case.cpu.ttst
            else f"use an IPA of at least {bits(IPA_WITHOUT_TTST)}, or of "
            f"{bits(case.smallest)} on a CPU with FEAT_TTST"
        ),
        source="Arm ARM table D8-7; pseudocode AArch64.MaxTxSZ",
    ),
    Rule(
        id="t0sz-needs-ttst",
        states="T0SZ is at most 39 without FEAT_TTST",
        limited_by="cpu",
        breaks=lambda case: (
            case.smallest <= case.ipa_bits < IPA_WITHOUT_TTST and not case.cpu.ttst
        ),
        given=lambda case: case.shape.t0sz,
        limit=lambda _: T0SZ_MAXIMUM,
        says=lambda case: (
            f"{case.ipa_and_t0sz} is {bits(IPA_WITHOUT_TTST - case.ipa_bits)} below "
            "what the CPU translates without FEAT_TTST; the smallest IPA it supports "
            f"is {bits(IPA_WITHOUT_TTST)} (T0SZ {T0SZ_MAXIMUM})"
        ),
        fix=lambda _: (
            f"use an IPA of at least {bits(IPA_WITHOUT_TTST)}, or a CPU with FEAT_TTST"
        ),
        source="Arm ARM table D8-7; pseudocode AArch64.MaxTxSZ",
    ),
    Rule(
        id="ipa-above-maximum",
        states="64-bit descriptors translate at most 52 bits of IPA",
        limited_by="architecture",
        breaks=lambda case: case.ipa_bits > IPA_MAXIMUM,
        given=lambda case: case.ipa_bits,
        limit=lambda _: IPA_MAXIMUM,
        says=lambda case: (
            f"{case.ipa} is {bits(case.ipa_bits - IPA_MAXIMUM)} above what VMSAv8-64 "
            f"translates; the largest IPA it supports is {bits(IPA_MAXIMUM)}"
        ),
        fix=lambda case: f"use an IPA of at most {bits(case.largest)}",
        source="Arm ARM table D8-8; pseudocode AArch64.S2MinTxSZ",
    ),
    Rule(
        id="ipa-above-48-without-lpa2",
        states="4K and 16K pages translate at most 48 bits of IPA without LPA2",
        limited_by="architecture",
        breaks=lambda case: (
            case.ipa_bits > IPA_WITHOUT_LPA2
            and case.granule is not Granule.K64
            and not case.shape.lpa2
        ),
        given=lambda case: case.ipa_bits,
        limit=lambda _: IPA_WITHOUT_LPA2,
        says=lambda case: (
            f"{case.ipa} is {bits(case.ipa_bits - IPA_WITHOUT_LPA2)} above what "
            f"{case.granule} pages translate without LPA2 (VTCR_EL2.DS=0); the largest "
            f"IPA they support is {bits(IPA_WITHOUT_LPA2)}"
        ),
        fix=lambda case: ways_out(
            f"use an IPA of at most {bits(case.largest)}",
            case.with_lpa2,
            "64K pages" if case.could_have_64k else "",
        ),
        source="Arm ARM table D8-8; pseudocode AArch64.S2MinTxSZ",
    ),
    Rule(
        id="ipa-exceeds-pa",
        states="the IPA is no wider than the CPU's physical addresses; a guest in "
        "AArch32 has 40 bits all the same",
        limited_by="cpu",
        breaks=lambda case: case.ipa_bits > case.pa_limit,
        given=lambda case: case.ipa_bits,
        limit=lambda case: case.pa_limit,
        says=lambda case: (
            f"{case.ipa} is {bits(case.ipa_bits - case.pa_limit)} above "
            + (
                f"the {IPA_AARCH32} bits that AArch32 at EL1 has on a CPU with"
                if case.cpu.pa_bits < case.pa_limit
                else "the CPU's"
            )
            + f" {case.cpu.pa_bits}-bit physical addresses (PARange); the largest IPA "
            f"it supports is {bits(case.largest)}"
        ),
        fix=lambda case: (
            f"use an IPA of at most {bits(case.largest)}, or a CPU with a larger "
            "PARange"
        ),
        source="Arm ARM table D8-8, R_DTLMN and R_MWXYY; pseudocode AArch64.S2MinTxSZ",
    ),
    # Check 2: the start level is one the CPU has.
    Rule(
        id="start-level-does-not-exist",
        states="4K pages have start levels -1..3, 16K 0..3 and 64K 1..3",
        limited_by="architecture",
        breaks=lambda case: not case.level_exists,
        given=lambda case: case.shape.start_level,
        limit=lambda case: TOP_LEVEL[case.granule],
        says=lambda case: (
            f"{case.granule} pages have no start level {case.shape.start_level}: "
            f"VTCR_EL2 encodes {TOP_LEVEL[case.granule]}..{LAST_LEVEL} for them"
        ),
        fix=lambda case: ways_out(
            case.elsewhere,
            f"use a start level of {TOP_LEVEL[case.granule]}..{LAST_LEVEL}",
        ),
        source="Arm ARM D24, VTCR_EL2.SL0; pseudocode AArch64.S2StartLevel",
    ),
    Rule(
        id="start-level-needs-lpa2",
        states="4K pages start at level -1, and 16K pages at level 0, only with LPA2",
        limited_by="architecture",
        breaks=lambda case: case.start in LPA2_START_LEVELS and not case.shape.lpa2,
        given=lambda case: case.shape.start_level,
        limit=lambda case: case.shape.start_level + 1,
        says=lambda case: (
            f"{case.granule} pages start at level {case.shape.start_level} only with "
            "LPA2 (VTCR_EL2.DS=1); the first start level without it is "
            f"{case.shape.start_level + 1}"
        ),
        fix=lambda case: ways_out(case.elsewhere, f"use {case.with_lpa2}"),
        source="Arm ARM D24, VTCR_EL2.SL0 and SL2; pseudocode AArch64.S2InvalidSL",
    ),
    Rule(
        id="start-level-needs-pa",
        states="4K pages start at level 0, and 64K pages at level 1, only on a CPU "
        "with 44 bits of physical address; 16K pages at level 1 only with 42",
        limited_by="cpu",
        breaks=lambda case: case.cpu.pa_bits < START_LEVEL_PA_BITS.get(case.start, 0),
        given=lambda case: case.shape.start_level,
        limit=lambda case: case.shape.start_level + 1,
        says=lambda case: (
            f"{case.granule} pages start at level {case.shape.start_level} only on a "
            f"CPU with {START_LEVEL_PA_BITS[case.start]} or more bits of physical "
            f"address, but this one has {case.cpu.pa_bits} (PARange); the first start "
            f"level it has is {case.shape.start_level + 1}"
        ),
        fix=lambda case: ways_out(
            case.elsewhere,
            f"use a CPU with {START_LEVEL_PA_BITS[case.start]} or more bits of "
            "physical address",
        ),
        source="Arm ARM table D8-9, R_SRKBC; pseudocode AArch64.S2InvalidSL",
    ),
    Rule(
        id="start-level-needs-ttst",
        states="4K pages start at level 3 only on a CPU with FEAT_TTST",
        limited_by="cpu",
        breaks=lambda case: case.start in TTST_START_LEVELS and not case.cpu.ttst,
        given=lambda case: case.shape.start_level,
        limit=lambda case: case.shape.start_level - 1,
        says=lambda case: (
            f"{case.granule} pages start at level {case.shape.start_level} only on a "
            "CPU with FEAT_TTST; the last start level without it is "
            f"{case.shape.start_level - 1}"
        ),
        fix=lambda case: ways_out(case.elsewhere, "use a CPU with FEAT_TTST"),
        source="Arm ARM D24, VTCR_EL2.SL0; pseudocode AArch64.S2InvalidSL",
    ),
    # Check 3: T0SZ fits the start level. A level that does not exist fits nothing.
    Rule(
        id="ipa-too-large-for-start-level",
        states="the start level is at most 16 concatenated tables",
        limited_by="architecture",
        breaks=lambda case: case.level_exists and case.ipa_bits > case.widest,
        given=lambda case: case.ipa_bits,
        limit=lambda case: case.widest,
        says=lambda case: (
            f"{case.ipa} takes {case.shape.concatenation} tables at level "
            f"{case.shape.start_level}, but the architecture concatenates at most "
            f"{1 << MOST_TABLES_SHIFT}; the largest IPA that {case.granule} pages "
            f"start there is {bits(case.widest)}"
        ),
        fix=lambda case: ways_out(case.elsewhere, case.narrower),
        source="Arm ARM D8.2, concatenated translation tables; pseudocode "
        "AArch64.S2InconsistentSL",
    ),
    Rule(
        id="ipa-too-small-for-start-level",
        states="the start level resolves at least one bit of the IPA",
        limited_by="architecture",
        breaks=lambda case: case.level_exists and case.ipa_bits < case.narrowest,
        given=lambda case: case.ipa_bits,
        limit=lambda case: case.narrowest,
        says=lambda case: (
            f"{case.ipa} leaves level {case.shape.start_level} no bit to index with: "
            f"one entry there maps {bits(case.shape.pgdir_shift)}; the smallest IPA "
            f"that {case.granule} pages start there is {bits(case.narrowest)}"
        ),
        fix=lambda case: (
            ways_out(case.elsewhere, case.wider)
            or f"use a start level above {case.shape.start_level}"
        ),
        source="Arm ARM D8.2, stage 2 start levels; pseudocode "
        "AArch64.S2InconsistentSL",
    ),
)
"""The architecture's rules, in the order in which a CPU checks them."""
