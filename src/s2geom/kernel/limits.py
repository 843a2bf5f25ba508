# SPDX-License-Identifier: MIT
"""Every limit that KVM/arm64 applies or has applied: one table, `RULES`.

A row says which kernels apply it and whose limit it is. `kvm` asks the rows; a new
limit is a new row here.
"""

from collections.abc import Callable
from typing import cast

from attrs import define, frozen

from s2geom.core.granule import LAST_LEVEL, MOST_TABLES_SHIFT, Granule
from s2geom.core.rules import Rule, ways_out
from s2geom.core.wording import article, bits
from s2geom.cpu.cpu import Cpu
from s2geom.cpu.sizes import IPA_MAXIMUM, IPA_WITHOUT_LPA2, a_page_size, page_sizes
from s2geom.kernel.fake import FakePgd, fake_pgd_below
from s2geom.kernel.scheme import Release, Scheme

IPA_MINIMUM = 32
"""The narrowest guest that any KVM makes."""

VA_MINIMUM = 25
VA_MAXIMUM = 52
"""The widths that the arithmetic of a host's own tables has a meaning for."""

PA_BITS = (48, 52)
"""What CONFIG_ARM64_PA_BITS may be."""

KCONFIG_VA_BITS: dict[tuple[Granule, int], Release] = {
    (Granule.K4, 39): (3, 18),
    (Granule.K4, 48): (3, 18),
    (Granule.K4, 52): (6, 9),
    (Granule.K16, 36): (4, 4),
    (Granule.K16, 47): (4, 4),
    (Granule.K16, 48): (4, 4),
    (Granule.K16, 52): (6, 9),
    (Granule.K64, 42): (3, 18),
    (Granule.K64, 48): (3, 18),
    (Granule.K64, 52): (5, 4),
}
"""The VA widths that arch/arm64/Kconfig has offered, and since which release."""


@define(eq=False)
class KvmCase:
    """A question, with what the rules ask about worked out once."""

    granule: Granule
    ipa_bits: int
    va_bits: int
    pa_bits: int
    scheme: Scheme
    cpu: Cpu | None
    host_levels: int
    levels: int

    @property
    def va_limit(self) -> int:
        """The widest IPA whose levels the host's own tables have.

        One stride and four bits of concatenation above the host's PGDIR_SHIFT: the
        limit that v4.20 computed, and the same as the levels rule of v4.7.
        """
        return self.granule.widest_ipa(LAST_LEVEL + 1 - self.host_levels)

    @property
    def fake(self) -> FakePgd:
        """Stage 2 as the fake-level macros have it."""
        return fake_pgd_below(self.granule, self.ipa_bits, self.host_levels)

    @property
    def is_in_domain(self) -> bool:
        """Whether the macros say anything: outside, the width itself is refused."""
        return IPA_MINIMUM <= self.ipa_bits <= IPA_MAXIMUM

    @property
    def known_cpu(self) -> Cpu:
        """The CPU, in rules that are asked only where there is one."""
        return cast(Cpu, self.cpu)

    # Phrases of the messages

    @property
    def ipa(self) -> str:
        """The width, as the subject of a sentence."""
        return f"{article(self.ipa_bits)} {self.ipa_bits}-bit IPA"

    @property
    def host(self) -> str:
        """The kernel, by what its own tables depend on."""
        return f"a {self.granule} host with a {self.va_bits}-bit VA"

    def above(self, limit: int) -> str:
        """How far the width is over a limit."""
        return f"{self.ipa} is {bits(self.ipa_bits - limit)} above"


def _largest(limit: int) -> str:
    limit = min(limit, IPA_MAXIMUM)
    if limit < IPA_MINIMUM:
        return f"it supports no IPA of {IPA_MINIMUM} bits or more"
    return f"the largest IPA it supports is {bits(limit)}"


def _narrower_or(limit: int, *others: str) -> str:
    limit = min(limit, IPA_MAXIMUM)
    narrower = f"an IPA of at most {bits(limit)}" if limit >= IPA_MINIMUM else ""
    return f"use {ways_out(narrower, *others)}"


def _newer_kernel(case: KvmCase) -> str:
    if case.granule is Granule.K64 or case.ipa_bits <= IPA_WITHOUT_LPA2:
        return "Linux v5.10 or later"
    return "Linux v6.8 or later on a CPU with LPA2"


def _more_host_levels(case: KvmCase) -> str:
    # Wider than any IPA is another rule's matter, and no host has levels for it.
    ipa_bits = min(case.ipa_bits, IPA_MAXIMUM)
    va_bits = min(
        va_bits
        for granule, va_bits in KCONFIG_VA_BITS
        if granule is case.granule
        and granule.levels_for(va_bits) >= granule.stage2_levels_for(ipa_bits)
    )
    host = f"a host kernel with a {va_bits}-bit VA"
    return _narrower_or(case.va_limit, host, _newer_kernel(case))


@frozen(eq=False, repr=False)  # a row is itself; an import pays for each method
class KvmRule:
    """A limit, and the kernels that apply it.

    Args:
        rule: The limit.
        schemes: The schemes whose kernels apply it.
        ceiling: The widest IPA that it lets through, in bits; None where it is no
            limit on the width from above.
        needs_cpu: Whether it is asked only where a CPU is given.
    """

    rule: Rule[KvmCase]
    schemes: frozenset[Scheme]
    ceiling: Callable[[KvmCase], int] | None = None
    needs_cpu: bool = False


_ALL = frozenset(Scheme)
_FAKE = frozenset({Scheme.FAKE_PGD})

RULES = (
    KvmRule(
        schemes=_ALL,
        rule=Rule(
            id="ipa-below-minimum",
            states="KVM gives a guest at least 32 bits of IPA",
            limited_by="host kernel",
            breaks=lambda case: case.ipa_bits < IPA_MINIMUM,
            given=lambda case: case.ipa_bits,
            limit=lambda _: IPA_MINIMUM,
            says=lambda case: (
                f"{case.ipa} is {bits(IPA_MINIMUM - case.ipa_bits)} below KVM's "
                f"minimum; the smallest IPA it supports is {bits(IPA_MINIMUM)}"
            ),
            fix=lambda _: f"use an IPA of at least {bits(IPA_MINIMUM)}",
            source="Linux v4.20, kvm: arm64: Allow tuning the physical address size "
            "for VM",
        ),
    ),
    KvmRule(
        schemes=_ALL,
        ceiling=lambda _: IPA_MAXIMUM,
        rule=Rule(
            id="ipa-above-maximum",
            states="64-bit descriptors translate at most 52 bits of IPA",
            limited_by="architecture",
            breaks=lambda case: case.ipa_bits > IPA_MAXIMUM,
            given=lambda case: case.ipa_bits,
            limit=lambda _: IPA_MAXIMUM,
            says=lambda case: (
                f"{case.above(IPA_MAXIMUM)} what VMSAv8-64 translates; the largest "
                f"IPA it supports is {bits(IPA_MAXIMUM)}"
            ),
            fix=lambda _: f"use an IPA of at most {bits(IPA_MAXIMUM)}",
            source="Arm ARM D8.1; pseudocode AArch64.S2MinTxSZ",
        ),
    ),
    KvmRule(
        schemes=frozenset({Scheme.STATIC}),
        ceiling=lambda case: case.va_limit,
        rule=Rule(
            id="levels-exceed-host",
            states="stage 2 has at most the levels of the host's own page tables, "
            "STAGE2_PGTABLE_LEVELS <= CONFIG_PGTABLE_LEVELS",
            limited_by="host kernel",
            breaks=lambda case: case.levels > case.host_levels,
            given=lambda case: case.levels,
            limit=lambda case: case.host_levels,
            says=lambda case: (
                f"{case.ipa} needs {case.levels} stage-2 levels, but {case.host} has "
                f"{case.host_levels}; {_largest(case.va_limit)} "
                "(Linux v4.7-v5.9; not since v5.10)"
            ),
            fix=_more_host_levels,
            source=Scheme.STATIC.source,
        ),
    ),
    KvmRule(
        schemes=frozenset({Scheme.DYNAMIC}),
        ceiling=lambda case: case.va_limit,
        rule=Rule(
            id="ipa-above-va-limit",
            states="the IPA fits in the host's levels: its PGDIR_SHIFT, one stride "
            "and four bits",
            limited_by="host kernel",
            breaks=lambda case: case.ipa_bits > case.va_limit,
            given=lambda case: case.ipa_bits,
            limit=lambda case: case.va_limit,
            says=lambda case: (
                f"{case.above(case.va_limit)} the virtual-address limit of "
                f"{case.host}; {_largest(case.va_limit)} "
                "(Linux v4.20-v5.9; not since v5.10)"
            ),
            fix=_more_host_levels,
            source="Linux v4.20, kvm: arm64: Set a limit on the IPA size",
        ),
    ),
    KvmRule(
        schemes=frozenset({Scheme.DYNAMIC}),
        ceiling=lambda case: case.pa_bits,
        rule=Rule(
            id="ipa-above-kernel-pa",
            states="the IPA is no wider than the kernel's physical addresses, "
            "CONFIG_ARM64_PA_BITS",
            limited_by="host kernel",
            breaks=lambda case: case.ipa_bits > case.pa_bits,
            given=lambda case: case.ipa_bits,
            limit=lambda case: case.pa_bits,
            says=lambda case: (
                f"{case.above(case.pa_bits)} the host kernel's {case.pa_bits}-bit "
                f"physical addresses (CONFIG_ARM64_PA_BITS); {_largest(case.pa_bits)} "
                "(Linux v4.20-v5.9; not since v5.10)"
            ),
            fix=lambda case: _narrower_or(case.pa_bits, _newer_kernel(case)),
            source="Linux v4.20, kvm: arm64: Set a limit on the IPA size",
        ),
    ),
    KvmRule(
        schemes=frozenset({Scheme.INDEPENDENT}),
        ceiling=lambda case: (
            IPA_MAXIMUM if case.granule is Granule.K64 else IPA_WITHOUT_LPA2
        ),
        rule=Rule(
            id="ipa-above-48",
            states="4K and 16K pages have at most 48 bits of IPA",
            limited_by="host kernel",
            breaks=lambda case: (
                case.ipa_bits > IPA_WITHOUT_LPA2 and case.granule is not Granule.K64
            ),
            given=lambda case: case.ipa_bits,
            limit=lambda _: IPA_WITHOUT_LPA2,
            says=lambda case: (
                f"{case.above(IPA_WITHOUT_LPA2)} what a {case.granule} kernel has "
                f"without LPA2; {_largest(IPA_WITHOUT_LPA2)} "
                "(Linux v5.15-v6.7; not since v6.8 on a CPU with LPA2)"
            ),
            fix=lambda _: _narrower_or(
                IPA_WITHOUT_LPA2,
                "64K pages",
                "Linux v6.8 or later on a CPU with LPA2",
            ),
            source="Linux v5.15, KVM: arm64: Restrict IPA size to maximum 48 bits on "
            "4K and 16K page size (5e5df9571c31)",
        ),
    ),
    KvmRule(
        schemes=frozenset({Scheme.LPA2}),
        needs_cpu=True,
        ceiling=lambda case: IPA_MAXIMUM if _has_wide_ipa(case) else IPA_WITHOUT_LPA2,
        rule=Rule(
            id="ipa-needs-lpa2",
            states="4K and 16K pages have more than 48 bits of IPA only on a CPU "
            "with LPA2",
            limited_by="cpu",
            breaks=lambda case: (
                case.ipa_bits > IPA_WITHOUT_LPA2 and not _has_wide_ipa(case)
            ),
            given=lambda case: case.ipa_bits,
            limit=lambda _: IPA_WITHOUT_LPA2,
            says=lambda case: (
                f"{case.above(IPA_WITHOUT_LPA2)} what the CPU translates without LPA2 "
                f"for {case.granule} pages; {_largest(IPA_WITHOUT_LPA2)}"
            ),
            fix=lambda _: _narrower_or(
                IPA_WITHOUT_LPA2, "a CPU with LPA2", "64K pages"
            ),
            source="Linux v6.8, KVM: arm64: Allow guests with >48-bit IPA size on "
            "FEAT_LPA2 systems (d4fbbb26da52)",
        ),
    ),
    KvmRule(
        schemes=_ALL,
        needs_cpu=True,
        ceiling=lambda case: case.known_cpu.pa_bits,
        rule=Rule(
            id="ipa-above-parange",
            states="the IPA is no wider than the CPU's physical addresses, "
            "ID_AA64MMFR0_EL1.PARange",
            limited_by="cpu",
            breaks=lambda case: case.ipa_bits > case.known_cpu.pa_bits,
            given=lambda case: case.ipa_bits,
            limit=lambda case: case.known_cpu.pa_bits,
            says=lambda case: (
                f"{case.above(case.known_cpu.pa_bits)} the CPU's "
                f"{case.known_cpu.pa_bits}-bit physical addresses (PARange); "
                f"{_largest(case.known_cpu.pa_bits)}"
            ),
            fix=lambda case: _narrower_or(
                case.known_cpu.pa_bits, "a CPU with a larger PARange"
            ),
            source="Linux v4.20, kvm: arm64: Set a limit on the IPA size",
        ),
    ),
    KvmRule(
        schemes=_ALL,
        needs_cpu=True,
        rule=Rule(
            id="granule-not-at-stage-2",
            states="the CPU implements the host's page size as a stage-2 granule",
            limited_by="cpu",
            breaks=lambda case: case.granule not in case.known_cpu.granules,
            given=lambda case: str(case.granule),
            limit=lambda case: page_sizes(case.known_cpu.granules),
            says=lambda case: (
                f"the CPU does not implement {case.granule} pages at stage 2; "
                f"it implements {page_sizes(case.known_cpu.granules)}"
            ),
            fix=lambda case: (
                f"use a host with {a_page_size(case.known_cpu.granules)} pages"
                if case.known_cpu.granules
                else "use a CPU that has stage 2"
            ),
            source="Linux v5.9, ID_AA64MMFR0_EL1.TGran4_2, TGran16_2 and TGran64_2",
        ),
    ),
    KvmRule(
        schemes=_FAKE,
        rule=Rule(
            id="fake-16k",
            states="there is no KVM with 16K pages before v4.7",
            limited_by="host kernel",
            breaks=lambda case: case.granule is Granule.K16,
            given=lambda case: str(case.granule),
            limit=lambda _: "4K, 64K",
            says=lambda _: (
                "a 16K host has no KVM as long as it fakes page-table levels "
                "(Linux before v4.7)"
            ),
            fix=lambda _: "use 4K or 64K pages, or Linux v4.7 or later",
            source="Linux v4.7, the commit that allows 16K pages (02e0b7600f83)",
        ),
    ),
    KvmRule(
        schemes=_FAKE,
        rule=Rule(
            id="fake-prealloc-level",
            states="KVM_PREALLOC_LEVEL is 0, 1 or 2",
            limited_by="host kernel",
            breaks=lambda case: case.is_in_domain and not case.fake.representable,
            given=lambda case: case.fake.prealloc_level,
            limit=lambda _: 2,
            says=lambda case: (
                f"{case.host} would put the root of {case.ipa} at level "
                f"{case.fake.prealloc_level} below a fake PGD, but the kernel has code "
                f"for levels 1 and 2; the smallest IPA it supports is "
                f"{bits(_smallest_without_fake(case))} (Linux before v4.7)"
            ),
            fix=lambda case: (
                f"use an IPA of at least {bits(_smallest_without_fake(case))}, or "
                "Linux v4.7 or later"
            ),
            source=Scheme.FAKE_PGD.source,
        ),
    ),
    KvmRule(
        schemes=_FAKE,
        ceiling=lambda case: case.va_limit,
        rule=Rule(
            id="fake-root-too-large",
            states="the hardware's root is at most 16 concatenated tables",
            limited_by="architecture",
            breaks=lambda case: (
                case.is_in_domain
                and case.fake.geometry.concatenation > 1 << MOST_TABLES_SHIFT
            ),
            given=lambda case: case.fake.geometry.concatenation,
            limit=lambda _: 1 << MOST_TABLES_SHIFT,
            says=lambda case: (
                f"{case.ipa} takes {case.fake.geometry.concatenation} tables at level "
                f"{case.fake.geometry.start_level}, where {case.host} starts, but the "
                f"architecture concatenates at most 16; {_largest(case.va_limit)} "
                "(Linux before v4.7)"
            ),
            fix=_more_host_levels,
            source="Arm ARM D8.2, concatenated translation tables; pseudocode "
            "AArch64.S2InconsistentSL",
        ),
    ),
    KvmRule(
        schemes=_FAKE,
        rule=Rule(
            id="fake-root-too-small",
            states="the start level is one the CPU has, and more than one of its "
            "entries is needed",
            limited_by="architecture",
            breaks=lambda case: (
                case.is_in_domain
                and (
                    case.fake.geometry.start_level < 0
                    or case.fake.geometry.pgd_entries == 1
                )
            ),
            given=lambda case: case.fake.geometry.start_level,
            limit=lambda case: case.fake.hardware_start_level,
            says=lambda case: (
                f"{case.host} would start {case.ipa} at level "
                f"{case.fake.geometry.start_level}, but the CPU starts it at level "
                f"{case.fake.hardware_start_level}: that takes {_fakes_needed(case)} "
                "(Linux before v4.7)"
            ),
            fix=lambda _: "use a host with fewer levels, or Linux v4.7 or later",
            source="Arm ARM D8.2, stage 2 start levels; pseudocode "
            "AArch64.S2InconsistentSL",
        ),
    ),
)
"""Every limit that KVM/arm64 applies or has applied."""


def _has_wide_ipa(case: KvmCase) -> bool:
    return case.granule is Granule.K64 or case.granule in case.known_cpu.lpa2


def _smallest_without_fake(case: KvmCase) -> int:
    # A fake PGD appears where at most 16 entries of the host's PGD are used.
    return case.fake.host_pgdir_shift + MOST_TABLES_SHIFT + 1


def _fakes_needed(case: KvmCase) -> str:
    needed = case.fake.fake_levels_needed
    if needed == 1:  # KVM_PREALLOC_LEVEL is 0 then, which says that there is none
        return "a fake level above level 0, which the scheme cannot express"
    return f"{needed} fake levels and the scheme has one"
