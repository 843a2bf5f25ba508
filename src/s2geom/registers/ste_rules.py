# SPDX-License-Identifier: MIT
"""What an SMMU refuses: the rules of stage 2 in a stream table entry.

Which shapes an SMMU refuses is decided by the architecture's rules of a CPU with the
same features; the rows here word the answer. Further rows are the SMMU's own, and one
compares an entry with the VTCR_EL2 of a CPU that uses the same tables.
"""

from collections.abc import Callable
from typing import cast

from attrs import define, field, frozen

from s2geom.core.address_form import WIDE, AddressForm, address_form
from s2geom.core.geometry import Geometry
from s2geom.core.rules import Rule
from s2geom.core.wording import counted
from s2geom.cpu.cpu import Cpu
from s2geom.cpu.rules import ShapeOnCpu
from s2geom.cpu.sizes import START_LEVEL_PA_BITS, a_page_size, page_sizes
from s2geom.registers.root import Base, RootWords, root_rules
from s2geom.registers.shape_fields import (
    SHAREABILITY,
    reserved_rules,
    shapeless_rules,
)
from s2geom.registers.ste_fields import (
    ILLEGAL,
    STE_NAMES,
    STE_SOURCE,
    StreamTableEntry,
)
from s2geom.registers.vtcr import VTCR_EL2


class EntryBase(Base):
    """The base of an entry's tables, as an SMMU finds it."""

    @property
    def form(self) -> AddressForm:
        """How addresses are held: the floor of the base follows S2PS alone."""
        shape = self.geometry
        ps_bits = min(self.pa_bits, self.cpu.pa_bits)
        form = address_form(shape.granule, shape.lpa2, True, ps_bits)
        return form._replace(has_wide_base=ps_bits >= WIDE)


@define(eq=False)
class EntryOnSmmu:
    """An entry and the SMMU that it is for.

    What an SMMU can do are a CPU's capabilities, so the architecture's rules of a CPU
    say which shapes it refuses; the rows below are their words for an entry.
    """

    entry: StreamTableEntry
    smmu: Cpu
    vmid_bits: int
    refused: frozenset[str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        broken = self.smmu.check(self.shape) if self.has_shape else ()
        self.refused = frozenset(why.rule for why in broken)

    @property
    def has_shape(self) -> bool:
        """Whether the entry names a shape: the properties below need one."""
        return bool(self.entry.s2aa64) and self.entry.walk.geometry is not None

    @property
    def shape(self) -> Geometry:
        """The shape that the entry names."""
        return cast(Geometry, self.entry.walk.geometry)

    @property
    def on_cpu(self) -> ShapeOnCpu:
        """The shape as the rules of a CPU see it."""
        return ShapeOnCpu(self.smmu, self.shape)

    @property
    def t0sz_minimum(self) -> int:
        """The smallest S2T0SZ that the SMMU accepts."""
        return 64 - self.on_cpu.largest

    @property
    def t0sz_maximum(self) -> int:
        """The largest S2T0SZ that the SMMU accepts."""
        return 64 - self.on_cpu.smallest_here

    @property
    def ipa_range(self) -> tuple[int, int]:
        """The narrowest and the widest IPA that the start level resolves, in bits."""
        return self.on_cpu.narrowest, self.on_cpu.widest

    @property
    def start_level(self) -> str:
        """The start level, as the subject of a sentence."""
        return f"start level {self.shape.start_level} with {self.shape.granule} pages"

    @property
    def ipa(self) -> str:
        """The width, as the subject of a sentence."""
        t0sz = self.entry.s2t0sz
        return f"S2T0SZ = {t0sz}, {counted(64 - t0sz, 'bit')} of IPA,"


def _refused(*cpu_rules: str) -> Callable[[EntryOnSmmu], bool]:
    """Return what asks whether the architecture refuses an entry's shape by a rule."""
    return lambda case: not case.refused.isdisjoint(cpu_rules)


@frozen
class EntryAndVtcr:
    """An entry, and the VTCR_EL2 of a CPU that uses the same tables."""

    entry: StreamTableEntry
    vtcr: VTCR_EL2

    @property
    def shapes(self) -> tuple[Geometry, Geometry] | None:
        """The shapes of the two, or None where one of them names none."""
        here = self.entry.walk.geometry if self.entry.s2aa64 else None
        there = self.vtcr.named_shape
        return None if here is None or there is None else (here, there)

    @property
    def differs(self) -> bool:
        """Whether the two name different shapes."""
        return self.shapes is not None and self.shapes[0] != self.shapes[1]

    @property
    def in_words(self) -> tuple[str, ...]:
        """The two shapes, as parts of a sentence."""
        return tuple(map(_in_words, self.shapes or ()))


def _in_words(shape: Geometry) -> str:
    lpa2 = ", LPA2" if shape.lpa2 else ""
    return (
        f"{shape.granule} pages, {counted(shape.ipa_bits, 'bit')} of IPA, start level "
        f"{shape.start_level}{lpa2}"
    )


COMPANION_RULES: tuple[Rule[EntryAndVtcr], ...] = (
    Rule(
        id="ste-shape-is-not-vtcrs",
        states="an entry and a VTCR_EL2 that share tables describe one shape",
        limited_by="architecture",
        breaks=lambda pair: pair.differs,
        given=lambda pair: pair.in_words[0],
        limit=lambda pair: pair.in_words[1],
        says=lambda pair: (
            "the STE and VTCR_EL2 do not describe the same tables: the STE has {}, "
            "VTCR_EL2 has {}".format(*pair.in_words)
        ),
        fix=lambda _: (
            "give the SMMU the page size, width and start level of VTCR_EL2, or tables "
            "of its own"
        ),
        source=f"{STE_SOURCE}; Arm ARM D24, VTCR_EL2",
    ),
)
"""Where an entry does not agree with the VTCR_EL2 beside it."""


STE_SHAPELESS_RULES: tuple[Rule[EntryOnSmmu], ...] = (
    Rule(
        id="s2aa64-clear",
        states="the tables are VMSAv8-64; others are recognised, not modelled",
        limited_by="architecture",
        breaks=lambda case: not case.entry.s2aa64,
        given=lambda case: case.entry.s2aa64,
        limit=lambda _: 1,
        says=lambda _: (
            "S2AA64 = 0: the tables are VMSAv8-32, or VMSAv9-128 on an SMMU that has "
            "it; only the shapes of VMSAv8-64 are modelled here"
        ),
        fix=lambda _: "set S2AA64, or read these tables by their own rules",
        source=f"{STE_SOURCE}.S2AA64",
    ),
    *shapeless_rules(
        STE_NAMES, lambda case: case.entry.walk, lambda case: bool(case.entry.s2aa64)
    ),
)
"""Entries that name no shape."""


SHAPE_RULES: tuple[Rule[EntryOnSmmu], ...] = (
    Rule(
        id="s2tg-not-implemented",
        states="the SMMU has the page size",
        limited_by="smmu",
        breaks=_refused("granule-not-implemented"),
        given=lambda case: str(case.shape.granule),
        limit=lambda case: page_sizes(case.smmu.granules),
        says=lambda case: (
            f"the SMMU has no {case.shape.granule} pages, so {ILLEGAL}; it has "
            f"{page_sizes(case.smmu.granules)}"
        ),
        fix=lambda case: (
            f"use {a_page_size(case.smmu.granules)} pages"
            if case.smmu.granules
            else "use an SMMU that has stage 2"
        ),
        source=f"{STE_SOURCE}.S2TG; SMMU_IDR5",
    ),
    Rule(
        id="s2t0sz-above-maximum",
        states="S2T0SZ is at most 39, or with small translation tables 48 (64K: 47)",
        limited_by="smmu",
        breaks=_refused("t0sz-above-maximum", "t0sz-needs-ttst"),
        given=lambda case: case.entry.s2t0sz,
        limit=lambda case: case.t0sz_maximum,
        says=lambda case: (
            f"{case.ipa} is above the maximum of {case.t0sz_maximum}, so {ILLEGAL}; "
            f"the smallest IPA has {64 - case.t0sz_maximum} bits"
        ),
        fix=lambda case: f"use S2T0SZ of at most {case.t0sz_maximum}",
        source=f"{STE_SOURCE}.S2T0SZ; SMMU_IDR3.STT",
    ),
    Rule(
        id="s2t0sz-below-minimum",
        states="S2T0SZ is at least 64 - IAS, and 16 with 48-bit descriptors, else 12",
        limited_by="smmu",
        breaks=_refused("ipa-above-52", "ipa-above-48-without-lpa2", "ipa-exceeds-pa"),
        given=lambda case: case.entry.s2t0sz,
        limit=lambda case: case.t0sz_minimum,
        says=lambda case: (
            f"{case.ipa} is below the minimum of {case.t0sz_minimum}, so {ILLEGAL}; "
            f"the largest IPA has {64 - case.t0sz_minimum} bits"
        ),
        fix=lambda case: f"use S2T0SZ of at least {case.t0sz_minimum}",
        source=f"{STE_SOURCE}.S2T0SZ; SMMU_IDR5.OAS",
    ),
    Rule(
        id="s2sl0-needs-oas",
        states="4K start level 0 and 64K level 1 take 44 bits of output address, 16K "
        "level 1 takes 42",
        limited_by="smmu",
        breaks=_refused("start-level-needs-pa"),
        given=lambda case: case.shape.start_level,
        limit=lambda case: case.shape.start_level + 1,
        says=lambda case: (
            f"{case.start_level} takes an output address size of "
            f"{START_LEVEL_PA_BITS[case.on_cpu.start]} bits, but the SMMU has "
            f"{case.smmu.pa_bits}, so {ILLEGAL}"
        ),
        fix=lambda case: (
            f"start at level {case.shape.start_level + 1}, with concatenated tables "
            "if need be"
        ),
        source=f"{STE_SOURCE}.S2SL0; pseudocode AArch64.S2InvalidSL",
    ),
    Rule(
        id="s2sl0-needs-stt",
        states="4K pages start at level 3 only with small translation tables",
        limited_by="smmu",
        breaks=_refused("start-level-needs-ttst"),
        given=lambda case: case.shape.start_level,
        limit=lambda _: 2,
        says=lambda _: (
            "start level 3 with 4K pages takes small translation tables, which the "
            f"SMMU does not have (IDR3.STT), so {ILLEGAL}"
        ),
        fix=lambda _: "start at level 2",
        source=f"{STE_SOURCE}.S2SL0; SMMU_IDR3.STT",
    ),
    Rule(
        id="s2sl0-does-not-fit",
        states="the start level resolves one bit of the IPA up to four more than a "
        "full table does",
        limited_by="architecture",
        breaks=_refused(
            "ipa-too-large-for-start-level", "ipa-too-small-for-start-level"
        ),
        given=lambda case: case.shape.ipa_bits,
        limit=lambda case: "{}..{}".format(*case.ipa_range),
        says=lambda case: (
            f"{case.ipa} does not fit S2SL0 = {case.entry.s2sl0}, so {ILLEGAL}; "
            f"{case.start_level} is for {{}} to {{}} bits".format(*case.ipa_range)
        ),
        fix=lambda case: "use S2T0SZ of {1} to {0}, or another start level".format(
            *(64 - bits for bits in case.ipa_range)
        ),
        source=f"{STE_SOURCE}.S2T0SZ; pseudocode AArch64.S2InconsistentSL",
    ),
    Rule(
        id="s2ds-not-implemented",
        states="S2DS is set only on an SMMU with 52-bit addresses for 4K and 16K",
        limited_by="smmu",
        breaks=_refused("lpa2-not-implemented"),
        given=lambda case: case.entry.s2ds,
        limit=lambda _: 0,
        says=lambda case: (
            f"S2DS = 1 is reserved, since the SMMU has no 52-bit addresses for "
            f"{case.shape.granule} pages (IDR5.DS)"
        ),
        fix=lambda _: "clear S2DS",
        source=f"{STE_SOURCE}.S2DS; SMMU_IDR5.DS",
    ),
    *reserved_rules(
        STE_NAMES, lambda case: case.entry.walk, lambda case: bool(case.entry.s2aa64)
    ),
)
"""What makes a shape illegal."""


ROOT_RULES = root_rules(
    misaligned=RootWords(
        id="s2ttb-misaligned",
        states="the base is a multiple of the size of the root, and of 64 bytes where "
        "the effective S2PS is 52 bits",
        says=lambda base: f"and the SMMU walks from {base.aligned:#x} instead",
        source=f"{STE_SOURCE}.S2TTB",
    ),
    outside=RootWords(
        id="s2ttb-outside-output-size",
        states="the base is within the effective S2PS, and within 48 bits for 4K and "
        "16K pages without S2DS",
        says=lambda base: (
            f"S2TTB = {base.address:#x} is outside the {base.output_bits}-bit output "
            f"addresses, so {ILLEGAL}"
        ),
        source=f"{STE_SOURCE}.S2TTB",
    ),
)
"""Where a root may be."""


STE_RULES: tuple[Rule[EntryOnSmmu], ...] = (
    Rule(
        id="s2vmid-above-8-bits",
        states="S2VMID has 8 bits on an SMMU without 16-bit VMIDs",
        limited_by="smmu",
        breaks=lambda case: bool(case.entry.s2vmid >> case.vmid_bits),
        given=lambda case: case.entry.s2vmid,
        limit=lambda case: (1 << case.vmid_bits) - 1,
        says=lambda case: (
            f"S2VMID = {case.entry.s2vmid} has more than the 8 bits of this SMMU's "
            f"VMIDs, so {ILLEGAL}"
        ),
        fix=lambda _: "use a VMID up to 255",
        source=f"{STE_SOURCE}.S2VMID; SMMU_IDR0.VMID16",
    ),
    Rule(
        id="s2sh0-reserved",
        states="S2SH0 is 0 (non-shareable), 2 (outer) or 3 (inner shareable)",
        limited_by="architecture",
        breaks=lambda case: case.entry.s2sh0 not in SHAREABILITY,
        given=lambda case: case.entry.s2sh0,
        limit=lambda _: "0, 2, 3",
        says=lambda _: "S2SH0 = 1 is reserved, and acts as 0, non-shareable",
        fix=lambda _: "set S2SH0 to 0, 2 or 3",
        source=f"{STE_SOURCE}.S2SH0",
    ),
    Rule(
        id="s2hd-without-s2ha",
        states="S2HD is set only with S2HA",
        limited_by="architecture",
        breaks=lambda case: bool(case.entry.s2hd) and not case.entry.s2ha,
        given=lambda case: case.entry.s2hd,
        limit=lambda _: 0,
        says=lambda _: "S2HD = 1 is reserved with S2HA = 0, and acts as 0",
        fix=lambda _: "set S2HA, or clear S2HD",
        source=f"{STE_SOURCE}.S2HA",
    ),
    Rule(
        id="s2haft-without-s2ha",
        states="S2HAFT is set only with S2HA",
        limited_by="architecture",
        breaks=lambda case: bool(case.entry.s2haft) and not case.entry.s2ha,
        given=lambda case: case.entry.s2haft,
        limit=lambda _: 0,
        says=lambda _: f"S2HAFT = 1 with S2HA = 0, so {ILLEGAL}",
        fix=lambda _: "set S2HA, or clear S2HAFT",
        source=f"{STE_SOURCE}.S2HAFT",
    ),
    Rule(
        id="s2poe-without-s2pie",
        states="S2POE is set only with indirect permissions",
        limited_by="architecture",
        breaks=lambda case: (
            bool(case.entry.s2aa64 and case.entry.s2poe) and not case.entry.s2pie
        ),
        given=lambda case: case.entry.s2poe,
        limit=lambda _: 0,
        says=lambda _: f"S2POE = 1 with S2PIE = 0, so {ILLEGAL}",
        fix=lambda _: "set S2PIE, or clear S2POE",
        source=f"{STE_SOURCE}.S2POE",
    ),
    Rule(
        id="s2skl-set",
        states="S2SKL is RES0 with VMSAv8-64 tables",
        limited_by="architecture",
        breaks=lambda case: bool(case.entry.s2aa64 and case.entry.s2skl),
        given=lambda case: case.entry.s2skl,
        limit=lambda _: 0,
        says=lambda case: (
            f"S2SKL = {case.entry.s2skl} is reserved, since only VMSAv9-128 tables "
            "skip levels"
        ),
        fix=lambda _: "clear S2SKL",
        source=f"{STE_SOURCE}.S2SKL",
    ),
    Rule(
        id="ste-res0-set",
        states="bits 252:248 and 255 of the entry are RES0",
        limited_by="architecture",
        breaks=lambda case: bool(case.entry.reserved),
        given=lambda case: f"{case.entry.reserved >> 64:#x}",
        limit=lambda _: 0,
        says=lambda case: (
            f"bits {case.entry.reserved >> 64:#x} of word 3 are RES0, but they are set"
        ),
        fix=lambda case: (
            f"use {case.entry.words[1] ^ case.entry.reserved >> 64:#x} as word 3"
        ),
        source=STE_SOURCE,
    ),
)
"""What is wrong with an entry whatever its shape is."""
