# SPDX-License-Identifier: MIT
"""`CPU_RULES`: the architecture's rules of a stage-2 table's shape, one row each.

The architecture makes three checks before the first lookup: T0SZ is in range, the CPU
has the start level, and T0SZ fits the start level. Each way to fail one of them is a
row. *Legal* means that no row is broken, so no legal shape relies on an IMPLEMENTATION
DEFINED choice, such as clamping a T0SZ that is out of range. Where implementations or
the manual's own text disagree, the rows follow the manual's pseudocode.
"""

from typing import Protocol

from s2geom.core.geometry import Choices, Geometry
from s2geom.core.granule import LAST_LEVEL, MOST_TABLES_SHIFT, Granule
from s2geom.core.rules import Rule, ways_out
from s2geom.core.wording import article, bits
from s2geom.cpu.sizes import (
    IPA_AARCH32,
    IPA_MAXIMUM,
    IPA_WITHOUT_LPA2,
    IPA_WITHOUT_TTST,
    LPA2_START_LEVELS,
    START_LEVEL_PA_BITS,
    T0SZ_MAXIMUM,
    T0SZ_MAXIMUM_TTST,
    TOP_LEVEL,
    TTST_START_LEVELS,
    a_page_size,
    page_sizes,
)


class Capabilities(Protocol):
    """What the rules ask about a CPU, or about an SMMU; `Cpu` has all of it."""

    @property
    def pa_bits(self) -> int:
        """Physical address size in bits."""

    @property
    def granules(self) -> frozenset[Granule]:
        """Page sizes at stage 2."""

    @property
    def lpa2(self) -> frozenset[Granule]:
        """Page sizes with LPA2 at stage 2."""

    @property
    def ttst(self) -> bool:
        """Whether there are small translation tables."""

    @property
    def aarch32_el1(self) -> bool:
        """Whether a guest may be AArch32."""


class ShapeOnCpu:  # no attrs class, since it is made for every level of every question
    """A shape on a CPU, with what the rules ask about."""

    __slots__ = ("cpu", "granule", "ipa_bits", "shape", "start")

    def __init__(self, cpu: Capabilities, shape: Geometry) -> None:
        self.cpu: Capabilities = cpu
        self.shape: Geometry = shape
        self.granule: Granule = shape.granule
        self.ipa_bits: int = shape.ipa_bits
        self.start: tuple[Granule, int] = shape.granule, shape.start_level

    @property
    def smallest(self) -> int:
        """The narrowest IPA of any CPU with this granule, in bits."""
        return 64 - T0SZ_MAXIMUM_TTST[self.granule]

    @property
    def smallest_here(self) -> int:
        """The narrowest IPA of this CPU with this granule, in bits."""
        return self.smallest if self.cpu.ttst else IPA_WITHOUT_TTST

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
        """Whether VTCR_EL2 encodes the start level for these pages."""
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
        """The width, as the subject of a sentence."""
        return f"{article(self.ipa_bits)} {self.ipa_bits}-bit IPA"

    @property
    def ipa_and_t0sz(self) -> str:
        """The width and its T0SZ, as the subject of a sentence."""
        return f"{self.ipa} (T0SZ {self.shape.t0sz})"

    @property
    def elsewhere(self) -> str:
        """The start levels that would fit, as a remedy; nothing where none does."""
        shapes = legal_shapes(self.cpu, self.granule, self.ipa_bits, self.shape.lpa2)
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
        narrowest = max(self.narrowest, self.smallest_here)
        return f"use an IPA of at least {bits(narrowest)}"


def legal_shapes(
    cpu: Capabilities, granule: Granule, ipa_bits: int, lpa2: bool
) -> Choices:
    """Return every legal shape for an IPA width, shallowest tree last."""
    cases = (
        ShapeOnCpu(cpu, Geometry(granule, ipa_bits, level, lpa2))
        for level in range(TOP_LEVEL[granule], LAST_LEVEL + 1)
    )
    # Faster than check() for each level: no violation is made of the illegal ones.
    return Choices(
        case.shape for case in cases if not any(rule.breaks(case) for rule in CPU_RULES)
    )


CPU_RULES: tuple[Rule[ShapeOnCpu], ...] = (
    Rule(
        id="granule-not-implemented",
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
        id="ipa-above-52",
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
