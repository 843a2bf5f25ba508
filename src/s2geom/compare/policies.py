# SPDX-License-Identifier: MIT
"""Who chooses which shape: the policies of kernels and hypervisors, side by side.

Where the architecture leaves a choice, software has a policy: for a page size, an IPA
width and a CPU's physical address size, the level at which it starts. Each policy is a
table of rows. A policy is no rule: `Cpu.check` says whether its choice is legal on a
CPU, and for some it is not.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from attrs import evolve, field, frozen

from s2geom.core.display import Displayed
from s2geom.core.errors import Violation
from s2geom.core.geometry import Geometry
from s2geom.core.granule import Granule, granule_of
from s2geom.core.numbers import integer_within
from s2geom.core.public import loads_older_pickles, public
from s2geom.core.rules import Rule, violations_of
from s2geom.core.wording import article, quoted, ranges
from s2geom.cpu.cpu import Cpu
from s2geom.cpu.sizes import (
    CHOICE_IPA_BITS,
    IPA_MAXIMUM,
    PARANGE,
    a_page_size,
    page_sizes,
)
from s2geom.kernel.choose import stage2
from s2geom.kernel.question import question
from s2geom.kernel.scheme import Scheme


@loads_older_pickles
@public
@frozen
class PolicyRow:
    """One row of a policy: where it starts.

    Args:
        granule: The page size.
        narrowest: Narrowest IPA of the row, in bits.
        widest: Widest IPA of the row, in bits.
        start_level: Level of the first lookup.
        pa_bits: Physical address sizes of the CPUs that the row is for; empty means
            every CPU.
        lowered_to: The width that is really programmed, in bits; None means the one
            that was asked for.
        lpa2: Whether the row is for CPUs whose ID registers tell of LPA2 at both
            stages, and programs LPA2 descriptors; None means every CPU, and that it
            does not.

            .. versionadded:: 0.2.0
    """

    granule: Granule = field(converter=granule_of)
    narrowest: int
    widest: int
    start_level: int
    pa_bits: tuple[int, ...] = ()
    lowered_to: int | None = None
    lpa2: bool | None = None

    def fits(self, cpu: Cpu, granule: Granule) -> bool:
        """Whether the row is for a page size on a CPU."""
        return (
            self.granule is granule
            and (not self.pa_bits or cpu.pa_bits in self.pa_bits)
            and self.lpa2 in {None, granule in cpu.lpa2_both_stages}
        )


@public
@frozen
class PolicyChoice(Displayed):
    """What a policy makes of a width, and what the architecture says to that.

    Args:
        policy: Name of the policy.
        geometry: The shape it programs; None where it has none.
        violations: The architecture's rules that the shape breaks on the CPU; without
            a shape, why there is none.
    """

    policy: str
    geometry: Geometry | None
    violations: tuple[Violation, ...]

    @property
    def legal(self) -> bool:
        """Whether there is a shape, and the CPU takes it."""
        return self.geometry is not None and not self.violations


@public
@frozen
class Policy:
    """How some software chooses the shape of stage 2.

    Args:
        name: Short name, the key in `POLICIES`.
        summary: What it does, in one sentence.
        source: Where it is written down.
        rows: Where it starts; the first row that fits is taken.
        scheme: For KVM, the scheme that answers instead of rows.

    >>> POLICIES["m1n1"].choose(Cpu(40), 14, 40).legal
    False
    """

    name: str
    summary: str
    source: str
    rows: tuple[PolicyRow, ...] = ()
    scheme: Scheme | None = None

    def choose(self, cpu: Cpu, granule: int, ipa_bits: int) -> PolicyChoice:
        """Return what the policy makes of an IPA width on a CPU.

        Args:
            cpu: The CPU; for ``io_pgtable`` it stands for the SMMU, whose output size
                is that of the physical addresses.
            granule: Page size; its page shift is accepted too.
            ipa_bits: Width of the IPA in bits, 16..56.

        Raises:
            InvalidArgument: A value is outside its range.
            TypeError: A value has the wrong type.
        """
        if not isinstance(cpu, Cpu):
            raise TypeError(f"cpu must be a Cpu, got {quoted(cpu)}")
        granule = granule_of(granule)
        ipa_bits = integer_within("ipa_bits", ipa_bits, *CHOICE_IPA_BITS)
        shape: Geometry | tuple[Violation, ...]
        if self.scheme is None:
            shape = self._from_rows(_PolicyCase(self, cpu, granule, ipa_bits))
        else:
            shape = question(granule, ipa_bits, scheme=self.scheme, cpu=cpu).answer()
        if isinstance(shape, tuple):
            return PolicyChoice(self.name, None, shape)
        return PolicyChoice(self.name, shape, cpu.check(shape))

    def _from_rows(self, case: "_PolicyCase") -> Geometry | tuple[Violation, ...]:
        row = next(case.fitting, None)
        if row is None:
            broken = violations_of(POLICY_RULES, case)
            return tuple(evolve(reason, source=self.source) for reason in broken)
        ipa_bits = row.lowered_to or case.ipa_bits
        return Geometry(row.granule, ipa_bits, row.start_level, lpa2=bool(row.lpa2))


@public
def compare_policies(cpu: Cpu, granule: int, ipa_bits: int) -> tuple[PolicyChoice, ...]:
    """Return what every policy makes of an IPA width on a CPU, legal or not.

    Args:
        cpu: The CPU.
        granule: Page size; its page shift is accepted too.
        ipa_bits: Width of the IPA in bits, 16..56.

    Returns:
        One answer for each of `POLICIES`, in their order.

    Raises:
        InvalidArgument: A value is outside its range.
        TypeError: A value has the wrong type.

    >>> for row in compare_policies(Cpu(44), 12, 44):
    ...     print(row.policy, row.geometry and row.geometry.start_level, row.legal)
    kvm 0 True
    io_pgtable 0 True
    io_pgtable_before_v6_14 0 True
    xen 0 True
    hafnium 0 True
    m1n1 None False
    jailhouse 0 True
    bao 0 True
    bhyve None False
    gunyah 0 True
    pkvm_host 0 True
    """
    return tuple(policy.choose(cpu, granule, ipa_bits) for policy in POLICIES.values())


# Why a policy has no shape


@frozen(eq=False)
class _PolicyCase:
    policy: Policy
    cpu: Cpu
    granule: Granule
    ipa_bits: int

    @property
    def granules(self) -> frozenset[Granule]:
        return frozenset(row.granule for row in self.policy.rows)

    @property
    def rows(self) -> Iterator[PolicyRow]:
        """The rows for this page size on this CPU."""
        rows = self.policy.rows
        return (row for row in rows if row.fits(self.cpu, self.granule))

    @property
    def fitting(self) -> Iterator[PolicyRow]:
        """Those of them for this width."""
        return (
            row for row in self.rows if row.narrowest <= self.ipa_bits <= row.widest
        )

    @property
    def widths(self) -> str:
        """Every width that it has with this page size on this CPU, in words."""
        covered = (range(row.narrowest, row.widest + 1) for row in self.rows)
        return ranges(sorted(set[int]().union(*covered)))


POLICY_RULES: tuple[Rule[_PolicyCase], ...] = (
    Rule(
        id="policy-without-granule",
        states="a policy covers the page sizes that its software has at stage 2",
        limited_by="host kernel",
        breaks=lambda case: case.granule not in case.granules,
        given=lambda case: str(case.granule),
        limit=lambda case: page_sizes(case.granules),
        says=lambda case: (
            f"{case.policy.name} has no {case.granule} pages at stage 2; it has "
            f"{page_sizes(case.granules)}"
        ),
        fix=lambda case: f"ask for {a_page_size(case.granules)} pages",
        source="where the policy is written down",
    ),
    Rule(
        id="policy-without-width",
        states="a policy covers the IPA widths that its software programs on a CPU",
        limited_by="host kernel",
        breaks=lambda case: (
            case.granule in case.granules and next(case.fitting, None) is None
        ),
        given=lambda case: case.ipa_bits,
        limit=lambda case: case.widths,
        says=lambda case: (
            f"{case.policy.name} never programs {article(case.ipa_bits)} "
            f"{case.ipa_bits}-bit IPA on a CPU with {case.cpu.pa_bits}-bit physical "
            f"addresses; widths it has there: {case.widths}"
        ),
        fix=lambda case: (
            f"ask for a width of {case.widths} bits"
            if next(case.rows, None)
            else f"ask about a CPU that {case.policy.name} knows"
        ),
        source="where the policy is written down",
    ),
)


# The policies


def _as_wide_as_pa(
    granule: Granule, widest: int, start_levels: Mapping[int, int]
) -> tuple[PolicyRow, ...]:
    """Make rows for software that takes the width of the IPA from the CPU.

    The start levels are by the CPU's physical address bits; the IPA is as wide as
    those are, but never wider than ``widest``.
    """
    return tuple(
        PolicyRow(granule, min(pa, widest), min(pa, widest), start_level, (pa,))
        for pa, start_level in start_levels.items()
    )


def _as_kvm(
    granule: Granule, widest: int, lpa2: bool | None = None
) -> tuple[PolicyRow, ...]:
    """Make rows for a width taken from the CPU, and KVM's start level for it."""
    rows = []
    for pa in PARANGE:
        width = min(pa, widest)
        start_level = stage2(granule, width, scheme=Scheme.LPA2).start_level
        rows.append(PolicyRow(granule, width, width, start_level, (pa,), lpa2=lpa2))
    return tuple(rows)


def _of_any_width(
    granule: Granule, bands: Iterable[tuple[int, int, int]]
) -> tuple[PolicyRow, ...]:
    """Make rows for software whose width is set when it is built.

    The bands are narrowest width, widest width and start level. The software refuses a
    width above the CPU's physical address bits, and PARange above 52 bits.
    """
    return tuple(
        PolicyRow(granule, narrowest, min(widest, pa), start_level, (pa,))
        for narrowest, widest, start_level in bands
        for pa in PARANGE
        if narrowest <= pa <= IPA_MAXIMUM
    )


def _by_name(*policies: Policy) -> Mapping[str, Policy]:
    return MappingProxyType({policy.name: policy for policy in policies})


_IO_PGTABLE_64K = (
    PolicyRow(Granule.K64, 32, 42, start_level=2),
    PolicyRow(Granule.K64, 43, 52, start_level=1),
    PolicyRow(Granule.K64, 53, 56, start_level=1, lowered_to=52),
)

_NOT_40 = (32, 36, 42, 44, 48, 52, 56)
_NOT_40_42 = (32, 36, 44, 48, 52, 56)

POLICIES: Mapping[str, Policy] = _by_name(
    Policy(
        name="kvm",
        summary="concatenates whenever at most 16 tables do, never below two levels; "
        "any IPA of 32 bits or more that the CPU has",
        source="Linux v6.8 to v7.3, arch/arm64/include/asm/stage2_pgtable.h and "
        "kvm_pgtable.h; kvm: arm64: Allow tuning the physical address size for VM",
        scheme=Scheme.LPA2,
    ),
    Policy(
        name="io_pgtable",
        summary="concatenates only where the architecture makes it mandatory for an "
        "input as wide as the output",
        source="Linux since v6.14, iommu/io-pgtable-arm: Fix stage-2 concatenation "
        "with 16K (4dcac8407fe1)",
        rows=(
            PolicyRow(Granule.K4, 32, 39, start_level=1),
            PolicyRow(Granule.K4, 40, 43, start_level=1, pa_bits=(40, 42)),
            PolicyRow(Granule.K4, 40, 48, start_level=0, pa_bits=_NOT_40_42),
            PolicyRow(
                Granule.K4, 49, 56, start_level=0, pa_bits=_NOT_40_42, lowered_to=48
            ),
            PolicyRow(Granule.K16, 32, 36, start_level=2),
            PolicyRow(Granule.K16, 37, 40, start_level=2, pa_bits=(40,)),
            PolicyRow(Granule.K16, 37, 47, start_level=1, pa_bits=_NOT_40),
            PolicyRow(Granule.K16, 48, 48, start_level=1),
            PolicyRow(Granule.K16, 49, 56, start_level=1, lowered_to=48),
            *_IO_PGTABLE_64K,
        ),
    ),
    Policy(
        name="io_pgtable_before_v6_14",
        summary="concatenates only to avoid a level 0 of at most 16 entries",
        source="Linux to v6.13, drivers/iommu/io-pgtable-arm.c",
        rows=(
            PolicyRow(Granule.K4, 32, 43, start_level=1),
            PolicyRow(Granule.K4, 44, 48, start_level=0),
            PolicyRow(Granule.K4, 49, 56, start_level=0, lowered_to=48),
            PolicyRow(Granule.K16, 32, 36, start_level=2),
            PolicyRow(Granule.K16, 37, 48, start_level=1),
            PolicyRow(Granule.K16, 49, 56, start_level=1, lowered_to=48),
            *_IO_PGTABLE_64K,
        ),
    ),
    Policy(
        name="xen",
        summary="4K pages and an IPA as wide as the physical addresses, at most 48 "
        "bits; an IOMMU with fewer bits lowers it, which these rows leave out",
        source="Xen 4.17 to 4.23-unstable of August 2026 (c447b7308b), "
        "xen/arch/arm/mmu/p2m.c, setup_virt_paging; xen/arm: p2m don't fall over on "
        "FEAT_LPA enabled hw",
        rows=_as_wide_as_pa(
            Granule.K4, 48, {32: 1, 36: 1, 40: 1, 42: 1, 44: 0, 48: 0, 52: 0}
        ),
    ),
    Policy(
        name="hafnium",
        summary="4K pages and an IPA as wide as the physical addresses, at most 48 "
        "bits, with as much concatenation as there can be",
        source="Hafnium as of July 2026, src/arch/aarch64/mm.c, arch_mm_init",
        rows=_as_wide_as_pa(
            Granule.K4, 48, {32: 2, 36: 1, 40: 1, 42: 1, 44: 0, 48: 0, 52: 0}
        ),
    ),
    Policy(
        name="m1n1",
        summary="16K pages and an IPA as wide as the physical addresses, at most 44 "
        "bits, without concatenation: level 2 up to 36 bits, else level 1",
        source="m1n1 as of July 2026, src/hv_vm.c, hv_pt_init",
        rows=_as_wide_as_pa(
            Granule.K16, 44, {32: 2, 36: 2, 40: 1, 42: 1, 44: 1, 48: 1, 52: 1}
        ),
    ),
    Policy(
        name="jailhouse",
        summary="4K pages and an IPA as wide as the physical addresses, at most 48 "
        "bits, from level 0 where there are 44 or more",
        source="jailhouse v0.12-324 of January 2023 (e57d1eff), "
        "hypervisor/arch/arm64/paging.c, get_cpu_parange; arm64: Cap parange at 48 "
        "bits (f2cd6f05, October 2020)",
        rows=_as_wide_as_pa(
            Granule.K4,
            48,
            {32: 1, 36: 1, 40: 1, 42: 1, 44: 0, 48: 0, 52: 0, 56: 0},
        ),
    ),
    Policy(
        name="bao",
        summary="4K pages and an IPA as wide as the physical addresses, from level 0 "
        "where there are 44 or more; T0SZ is cut to 5 bits, so 32 bits become 64",
        source="bao v2.0.0 and later, as of July 2026 (738e3dc), "
        "src/arch/armv8/armv8-a/aarch64/vmm.c, vmm_arch_init_tcr",
        rows=(
            PolicyRow(Granule.K4, 32, 32, 1, pa_bits=(32,), lowered_to=64),
            *_as_wide_as_pa(Granule.K4, 48, {36: 1, 40: 1, 42: 1, 44: 0, 48: 0}),
        ),
    ),
    Policy(
        name="bhyve",
        summary="39 bits of IPA from level 1, with 4K and 16K pages alike; 36 bits on "
        "a CPU with as many, where 16K pages start at level 2",
        source="FreeBSD main (053e6f586add, read in November 2026), "
        "sys/arm64/vmm/vmm_arm64.c, vmmops_modinit",
        rows=(
            PolicyRow(Granule.K4, 36, 36, 1, pa_bits=(36,)),
            PolicyRow(Granule.K4, 39, 39, 1, pa_bits=(40, 42, 44, 48, 52, 56)),
            PolicyRow(Granule.K16, 36, 36, 2, pa_bits=(36,)),
            PolicyRow(Granule.K16, 39, 39, 1, pa_bits=(40, 42, 44, 48, 52, 56)),
        ),
    ),
    Policy(
        name="gunyah",
        summary="4K pages and a width set when it is built, at most the physical "
        "addresses and 48 bits; concatenates whenever at most 16 tables do",
        source="Gunyah as of December 2023 (36ca3a2), "
        "hyp/mem/pgtable/armv8/src/pgtable.c, get_start_level_info",
        rows=_of_any_width(Granule.K4, ((26, 34, 2), (35, 43, 1), (44, 48, 0))),
    ),
    Policy(
        name="pkvm_host",
        summary="the stage 2 of the host itself under kvm-arm.mode=protected: an IPA "
        "as wide as the physical addresses, at most 48 bits, or 52 with LPA2 at both "
        "stages or with 64K pages and CONFIG_ARM64_PA_BITS=52; levels as KVM has them",
        source="Linux v7.3.4, arch/arm64/kvm/hyp/nvhe/mem_protect.c, "
        "prepare_host_vtcr; KVM: arm64: Wrap the host with a stage 2 (v5.13)",
        rows=(
            *_as_kvm(Granule.K4, 48, lpa2=False),
            *_as_kvm(Granule.K4, 52, lpa2=True),
            *_as_kvm(Granule.K16, 48, lpa2=False),
            *_as_kvm(Granule.K16, 52, lpa2=True),
            *_as_kvm(Granule.K64, 48),
            *_as_kvm(Granule.K64, 52),
        ),
    ),
)
"""The policies of kernels and hypervisors, by name."""
