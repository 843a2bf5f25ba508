# SPDX-License-Identifier: MIT
"""Every limit that KVM/arm64 applies or has applied: one table, `LIMITS`.

A row says whose limit it is, how wide an IPA it lets through, which commits brought and
ended it, and which changes of the question lead out of it. `question` asks the rows, by
scheme or by release. A new limit is a new row here; a new commit is one of `changes`.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, cast

from s2geom.core.errors import LimitedBy
from s2geom.core.granule import LAST_LEVEL, MOST_TABLES_SHIFT, Granule
from s2geom.core.numbers import MOST_BITS
from s2geom.core.wording import article, bits
from s2geom.cpu.cpu import Cpu
from s2geom.cpu.sizes import IPA_MAXIMUM, IPA_WITHOUT_LPA2, page_sizes
from s2geom.kernel import changes
from s2geom.kernel.changes import Change
from s2geom.kernel.scheme import Kernel, Scheme

if TYPE_CHECKING:
    from s2geom.kernel.fake import FakePgd

IPA_MINIMUM = 32
"""The narrowest guest that a KVM makes whose guests differ in width."""

WIDTHS = range(IPA_MINIMUM, IPA_MAXIMUM + 1)
"""Every width that some KVM gives a guest: 32..52 bits."""

KVM_PHYS_SHIFT = 40
"""The IPA width of every guest before v4.20, and since then of one that asks for 0."""

VA_MINIMUM = 25
VA_MAXIMUM = 52
"""The widths that the arithmetic of a host's own tables has a meaning for."""

KERNEL_PA_BITS = (48, 52)
"""What CONFIG_ARM64_PA_BITS may be."""

WIDEST_ADDRESS = 64
"""The widest IPA that a `Geometry` holds."""

UNBOUNDED = 1 << MOST_BITS
"""The ceiling of a limit that does not concern a case: wider than any number given."""

KCONFIG_VA_BITS: dict[tuple[Granule, int], tuple[int, int]] = {
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


class KvmCase(NamedTuple):
    """A host, a kernel, a guest's width and perhaps a CPU: what the rows look at.

    Args:
        granule: The host's page size.
        ipa_bits: Width of the guest's addresses in bits.
        va_bits: Width of the host's virtual addresses in bits.
        pa_bits: CONFIG_ARM64_PA_BITS.
        kernel: The scheme or the release; see `kernel_of_call`.
        protected: Whether the host runs with kvm-arm.mode=protected.
        cpu: The CPU; None asks whether some CPU gives the width.
    """

    granule: Granule
    ipa_bits: int
    va_bits: int
    pa_bits: int
    kernel: Kernel
    protected: bool
    cpu: Cpu | None

    @property
    def host_levels(self) -> int:
        """Levels of the host's own page tables (CONFIG_PGTABLE_LEVELS)."""
        return self.granule.levels_for(self.va_bits)

    @property
    def levels(self) -> int:
        """Levels that the width needs with 16 root tables: the formula, unclamped."""
        return self.granule.stage2_levels_for(self.ipa_bits)

    @property
    def va_limit(self) -> int:
        """The widest IPA whose levels the host's own tables have.

        One stride and four bits of concatenation above the host's PGDIR_SHIFT: the
        limit that v4.20 computed, and the same as the levels rule of v4.7.
        """
        pgdir_shift = self.granule.level_shift(LAST_LEVEL + 1 - self.host_levels)
        return pgdir_shift + self.granule.stride + MOST_TABLES_SHIFT

    @property
    def fake(self) -> "FakePgd":
        """Stage 2 as the fake-level macros have it, at the nearest width they have."""
        width = min(max(IPA_MINIMUM, self.ipa_bits), IPA_MAXIMUM)
        return fake_macros()(self.granule, width, self.host_levels)

    @property
    def host_shaped_tables(self) -> int:
        """Root tables of a tree that starts where the host's does."""
        ipa_bits = min(self.ipa_bits, WIDEST_ADDRESS)
        return 1 << max(0, ipa_bits - (self.va_limit - MOST_TABLES_SHIFT))

    @property
    def is_in_domain(self) -> bool:
        """Whether the width is one that some KVM gives: 32..52 bits."""
        return IPA_MINIMUM <= self.ipa_bits <= IPA_MAXIMUM

    @property
    def known_cpu(self) -> Cpu:
        """The CPU, for rows that are asked only where there is one."""
        return cast(Cpu, self.cpu)

    @property
    def may_have_lpa2(self) -> bool:
        """Whether KVM uses LPA2 descriptors here if the width needs them."""
        return (
            self.kernel.scheme is Scheme.LPA2
            and self.granule is not Granule.K64
            and (self.cpu is None or self.granule in self.cpu.lpa2_both_stages)
        )

    @property
    def needs_lpa2(self) -> bool:
        """Whether the width is there with LPA2 alone."""
        return self.ipa_bits > IPA_WITHOUT_LPA2 and self.granule is not Granule.K64

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

    @property
    def without_lpa2(self) -> str:
        """Why KVM does not use LPA2 on this CPU."""
        if self.granule in self.known_cpu.lpa2:
            return (
                f"KVM uses here: the ID registers tell of LPA2 for {self.granule} "
                "pages, but not at both stages"
            )
        return f"the CPU translates without LPA2 for {self.granule} pages"


@cache
def fake_macros() -> "Callable[[Granule, int, int], FakePgd]":
    """Return `fake_pgd_below`, loaded at first use: one scheme alone needs it."""
    from s2geom.kernel.fake import fake_pgd_below  # noqa: PLC0415

    return fake_pgd_below


def largest(limit: int) -> str:
    """Return the end of a message: the widest IPA that a limit lets through."""
    limit = min(limit, IPA_MAXIMUM)
    if limit < IPA_MINIMUM:
        return f"it supports no IPA of {IPA_MINIMUM} bits or more"
    return f"the largest IPA it supports is {bits(limit)}"


class KvmLimit(NamedTuple):
    """A limit, and the kernels that apply it.

    Args:
        id: Stable name, part of the public interface.
        states: The limit as one sentence, for the documentation.
        limited_by: Whose limit it is.
        since: The commit that brought it.
        limit: What a case may ask for.
        says: The sentence for a case that breaks it, without its releases.
        source: Where it is written down.
        ways: The arguments of a question that may lead out, in the order of the fix.
        until: The commit that ended it; None while it is in force.
        restated: The commit from which another row tells the same limit.
        remains: Where the last of it is still in force after ``until``, in words.
        ceiling: The widest IPA that it lets through, in bits; None where it is no
            limit on the width from above.
        breaks: Whether a case breaks it, where it has no ceiling.
        given: What the case asks for.
        tells: Rules of the architecture that it tells of too.
        from_below: Whether it limits the width from below 32 bits.
        of_any_width: Whether it looks at no width, and refuses every guest or none.
        needs_cpu: Whether it is asked only where a CPU is given.
        of_releases: Whether it is asked by release alone: it is a defect of some
            releases, or a constant that a scheme takes as a parameter.
        checked: The commit from which a kernel refuses to make the VM; by default
            ``since``. Before it, a guest could be made that does not run.
        refuses_vm: Whether a kernel ever refuses to make the VM for it.
        spares_default: Whether a VM that asks for no width got past it before v5.12.
    """

    id: str
    states: str
    limited_by: LimitedBy
    since: Change
    limit: Callable[[KvmCase], int | str]
    says: Callable[[KvmCase], str]
    source: str
    ways: tuple[str, ...]
    until: Change | None = None
    restated: Change | None = None
    remains: str = ""
    ceiling: Callable[[KvmCase], int] | None = None
    breaks: Callable[[KvmCase], bool] = lambda _: False
    given: Callable[[KvmCase], int | str] = lambda case: case.ipa_bits
    tells: frozenset[str] = frozenset()
    from_below: bool = False
    of_any_width: bool = False
    needs_cpu: bool = False
    of_releases: bool = False
    checked: Change | None = None
    refuses_vm: bool = True
    spares_default: bool = False

    def is_asked(self, kernel: Kernel, *, with_cpu: bool) -> bool:
        """Return whether a kernel applies it, as far as it can be asked."""
        if (self.of_releases and kernel.release is None) or (
            self.needs_cpu and not with_cpu
        ):
            return False
        over = (self.until, self.restated)
        return self.since.is_in(kernel.version) and not any(
            change is not None and change.is_in(kernel.version) for change in over
        )

    def refuses_vm_in(self, kernel: Kernel) -> bool:
        """Return whether a kernel that applies it refuses to make the VM."""
        return self.refuses_vm and (self.checked or self.since).is_in(kernel.version)

    def message(self, case: KvmCase) -> str:
        """Return the sentence for a case that breaks it, with its releases."""
        releases = self.releases(case.kernel)
        return self.says(case) + (f" ({releases})" if releases else "")

    def releases(self, kernel: Kernel) -> str:
        """Return the kernels that apply it, in words; nothing if all since some do."""
        if self.until is None:
            return ""
        if self.since is changes.FAKE_LEVELS:
            return f"Linux before {self.until.first}"
        own = kernel.release is not None and self.since.back_port(kernel.version)
        first = f"{own}, {self.since.first}" if own else self.since.first
        fixed = self.until.back_port(kernel.version)
        last = f"{fixed}, {self.until.first}" if fixed else self.until.first
        remains = f" {self.remains}" if self.remains else ""
        return f"Linux {first}-{self.until.before}; not since {last}{remains}"


def _narrow_without_lpa2(case: KvmCase) -> int:
    wide = case.granule is Granule.K64 or case.may_have_lpa2
    return UNBOUNDED if wide else IPA_WITHOUT_LPA2


LIMITS = (
    KvmLimit(
        id="ipa-below-minimum",
        states="KVM gives a guest at least 32 bits of IPA",
        limited_by="host kernel",
        since=changes.FAKE_LEVELS,
        breaks=lambda case: (
            case.ipa_bits < IPA_MINIMUM and not case.kernel.has_one_width
        ),
        limit=lambda _: IPA_MINIMUM,
        says=lambda case: (
            f"{case.ipa} is {bits(IPA_MINIMUM - case.ipa_bits)} below KVM's "
            f"minimum; the smallest IPA it supports is {bits(IPA_MINIMUM)}"
        ),
        source="Linux v4.20, kvm: arm64: Allow tuning the physical address size for VM",
        ways=("ipa_bits",),
        from_below=True,
    ),
    KvmLimit(
        id="ipa-above-maximum",
        states="64-bit descriptors translate at most 52 bits of IPA",
        limited_by="architecture",
        since=changes.FAKE_LEVELS,
        ceiling=lambda _: IPA_MAXIMUM,
        limit=lambda _: IPA_MAXIMUM,
        says=lambda case: (
            f"{case.above(IPA_MAXIMUM)} what VMSAv8-64 translates; "
            f"{largest(IPA_MAXIMUM)}"
        ),
        source="Arm ARM D8.1; pseudocode AArch64.S2MinTxSZ",
        ways=("ipa_bits",),
    ),
    KvmLimit(
        id="ipa-not-40",
        states="every guest has 40 bits of IPA, KVM_PHYS_SHIFT",
        limited_by="host kernel",
        since=changes.FAKE_LEVELS,
        until=changes.WIDTH_PER_VM,
        of_releases=True,
        breaks=lambda case: case.ipa_bits != KVM_PHYS_SHIFT,
        limit=lambda _: KVM_PHYS_SHIFT,
        says=lambda case: (
            f"{case.ipa} is not what Linux {case.kernel.release} gives: "
            f"every guest has {bits(KVM_PHYS_SHIFT)} (KVM_PHYS_SHIFT)"
        ),
        source=changes.WIDTH_PER_VM.source,
        ways=("ipa_bits", "release"),
    ),
    KvmLimit(
        id="levels-exceed-host",
        states="stage 2 has at most the levels of the host's own page tables, "
        "STAGE2_PGTABLE_LEVELS <= CONFIG_PGTABLE_LEVELS",
        limited_by="host kernel",
        since=changes.STATIC_LEVELS,
        until=changes.HOST_IRRELEVANT,
        restated=changes.WIDTH_PER_VM,
        ceiling=lambda case: case.va_limit,
        given=lambda case: case.levels,
        limit=lambda case: case.host_levels,
        says=lambda case: (
            f"{case.ipa} needs {case.levels} stage-2 levels, but {case.host} has "
            f"{case.host_levels}; {largest(case.va_limit)}"
        ),
        source=changes.STATIC_LEVELS.source,
        ways=("ipa_bits", "va_bits", "release"),
    ),
    KvmLimit(
        id="ipa-above-va-limit",
        states="the IPA fits in the host's levels: its PGDIR_SHIFT, one stride "
        "and four bits",
        limited_by="host kernel",
        since=changes.IPA_LIMIT,
        until=changes.HOST_IRRELEVANT,
        ceiling=lambda case: case.va_limit,
        limit=lambda case: case.va_limit,
        says=lambda case: (
            f"{case.above(case.va_limit)} the virtual-address limit of "
            f"{case.host}; {largest(case.va_limit)}"
        ),
        source=changes.IPA_LIMIT.source,
        ways=("ipa_bits", "va_bits", "release"),
        spares_default=True,
    ),
    KvmLimit(
        id="ipa-above-kernel-pa",
        states="the IPA is no wider than the kernel's physical addresses, "
        "CONFIG_ARM64_PA_BITS",
        limited_by="host kernel",
        since=changes.IPA_LIMIT,
        until=changes.HOST_IRRELEVANT,
        ceiling=lambda case: case.pa_bits,
        limit=lambda case: case.pa_bits,
        says=lambda case: (
            f"{case.above(case.pa_bits)} the host kernel's {case.pa_bits}-bit "
            f"physical addresses (CONFIG_ARM64_PA_BITS); {largest(case.pa_bits)}"
        ),
        source=changes.IPA_LIMIT.source,
        ways=("ipa_bits", "release"),
        spares_default=True,
    ),
    KvmLimit(
        id="ipa-above-48",
        states="4K and 16K pages have at most 48 bits of IPA",
        limited_by="host kernel",
        since=changes.CAPPED_AT_48,
        until=changes.LPA2_GUESTS,
        remains="on a CPU with LPA2",
        ceiling=_narrow_without_lpa2,
        limit=lambda _: IPA_WITHOUT_LPA2,
        says=lambda case: (
            f"{case.above(IPA_WITHOUT_LPA2)} what a {case.granule} kernel has "
            f"without LPA2; {largest(IPA_WITHOUT_LPA2)}"
        ),
        source=changes.CAPPED_AT_48.source,
        ways=("ipa_bits", "page_shift", "release"),
    ),
    KvmLimit(
        id="ipa-needs-lpa2",
        states="4K and 16K pages have more than 48 bits of IPA only on a CPU "
        "with LPA2 at both stages",
        limited_by="cpu",
        since=changes.LPA2_GUESTS,
        needs_cpu=True,
        ceiling=_narrow_without_lpa2,
        limit=lambda _: IPA_WITHOUT_LPA2,
        says=lambda case: (
            f"{case.above(IPA_WITHOUT_LPA2)} what {case.without_lpa2}; "
            f"{largest(IPA_WITHOUT_LPA2)}"
        ),
        source="Linux v6.8, KVM: arm64: Allow guests with >48-bit IPA size on "
        "FEAT_LPA2 systems (d4fbbb26da52)",
        ways=("ipa_bits", "cpu", "page_shift"),
    ),
    KvmLimit(
        id="ipa-above-parange",
        states="the IPA is no wider than the CPU's physical addresses, "
        "ID_AA64MMFR0_EL1.PARange",
        limited_by="cpu",
        since=changes.FAKE_LEVELS,
        needs_cpu=True,
        ceiling=lambda case: case.known_cpu.pa_bits,
        limit=lambda case: case.known_cpu.pa_bits,
        says=lambda case: (
            f"{case.above(case.known_cpu.pa_bits)} the CPU's "
            f"{case.known_cpu.pa_bits}-bit physical addresses (PARange); "
            f"{largest(case.known_cpu.pa_bits)}"
        ),
        source=changes.IPA_LIMIT.source,
        ways=("ipa_bits", "cpu"),
        tells=frozenset({"ipa-exceeds-pa"}),
        spares_default=True,
    ),
    KvmLimit(
        id="granule-not-at-stage-2",
        states="the CPU implements the host's page size as a stage-2 granule",
        limited_by="cpu",
        since=changes.FAKE_LEVELS,
        checked=changes.GRANULE_CHECKED,
        needs_cpu=True,
        breaks=lambda case: case.granule not in case.known_cpu.granules,
        given=lambda case: str(case.granule),
        limit=lambda case: page_sizes(case.known_cpu.granules),
        says=lambda case: (
            f"the CPU does not implement {case.granule} pages at stage 2; "
            f"it implements {page_sizes(case.known_cpu.granules)}"
        ),
        source=changes.GRANULE_CHECKED.source,
        ways=("page_shift", "cpu"),
        tells=frozenset({"granule-not-implemented"}),
        of_any_width=True,
    ),
    KvmLimit(
        id="lpa2-granule-unknown",
        states="a page size with LPA2 is taken for one that the CPU does not have",
        limited_by="host kernel",
        since=changes.GRANULE_CHECKED,
        until=changes.LPA2_GRANULES_KNOWN,
        needs_cpu=True,
        of_releases=True,
        breaks=lambda case: case.granule in case.known_cpu.lpa2,
        given=lambda case: str(case.granule),
        limit=lambda _: "a page size without LPA2",
        says=lambda case: (
            f"Linux {case.kernel.release} takes {case.granule} pages with LPA2 for "
            "pages that the CPU does not have, and has no KVM"
        ),
        source=changes.LPA2_GRANULES_KNOWN.source,
        ways=("release", "cpu", "page_shift"),
        of_any_width=True,
    ),
    KvmLimit(
        id="fake-16k",
        states="there is no KVM with 16K pages before v4.7",
        limited_by="host kernel",
        since=changes.FAKE_LEVELS,
        until=changes.GRANULE_16K,
        breaks=lambda case: case.granule is Granule.K16,
        given=lambda case: str(case.granule),
        limit=lambda _: "4K, 64K",
        says=lambda _: "a 16K host has no KVM as long as it fakes page-table levels",
        source=changes.GRANULE_16K.source,
        ways=("page_shift", "release"),
        of_any_width=True,
    ),
    KvmLimit(
        id="fake-prealloc-level",
        states="KVM_PREALLOC_LEVEL is 0, 1 or 2",
        limited_by="host kernel",
        since=changes.FAKE_LEVELS,
        until=changes.STATIC_LEVELS,
        breaks=lambda case: not case.fake.representable,
        given=lambda case: case.fake.prealloc_level,
        limit=lambda _: 2,
        says=lambda case: (
            f"{case.host} would put the root of {case.ipa} at level "
            f"{case.fake.prealloc_level} below a fake PGD, but the kernel has code "
            f"for levels 1 and 2; the smallest IPA it supports is "
            # A fake PGD appears where at most 16 entries of the host's PGD are used.
            f"{bits(case.fake.host_pgdir_shift + MOST_TABLES_SHIFT + 1)}"
        ),
        source=changes.FAKE_LEVELS.source,
        ways=("ipa_bits", "release"),
    ),
    KvmLimit(
        id="fake-root-too-large",
        states="the hardware's root is at most 16 concatenated tables",
        limited_by="architecture",
        since=changes.FAKE_LEVELS,
        until=changes.STATIC_LEVELS,
        ceiling=lambda case: case.va_limit,
        given=lambda case: case.host_shaped_tables,
        limit=lambda _: 1 << MOST_TABLES_SHIFT,
        says=lambda case: (
            f"{case.ipa} takes {'more than ' * (case.ipa_bits > WIDEST_ADDRESS)}"
            f"{case.host_shaped_tables} tables at level "
            f"{LAST_LEVEL + 1 - case.host_levels}, where {case.host} starts, but the "
            f"architecture concatenates at most 16; {largest(case.va_limit)}"
        ),
        source="Arm ARM D8.2, concatenated translation tables; pseudocode "
        "AArch64.S2InconsistentSL",
        ways=("ipa_bits", "va_bits", "release"),
        tells=frozenset({"ipa-too-large-for-start-level"}),
        refuses_vm=False,
    ),
    KvmLimit(
        id="fake-root-too-small",
        states="the start level is one the CPU has, and more than one of its "
        "entries is needed",
        limited_by="architecture",
        since=changes.FAKE_LEVELS,
        until=changes.STATIC_LEVELS,
        breaks=lambda case: (
            case.fake.geometry.start_level < 0 or case.fake.geometry.pgd_entries == 1
        ),
        given=lambda case: case.fake.geometry.start_level,
        limit=lambda case: case.fake.hardware_start_level,
        says=lambda case: (
            f"{case.host} would start {case.ipa} at level "
            f"{case.fake.geometry.start_level}, but the CPU starts it at level "
            f"{case.fake.hardware_start_level}: that takes {_fakes_needed(case)}"
        ),
        source="Arm ARM D8.2, stage 2 start levels; pseudocode "
        "AArch64.S2InconsistentSL",
        ways=("va_bits", "release"),
        tells=frozenset(
            {
                "ipa-too-small-for-start-level",
                "start-level-needs-lpa2",
                "start-level-does-not-exist",
            }
        ),
        refuses_vm=False,
    ),
    KvmLimit(
        id="protected-before-v6.2",
        states="protected guests have stage-2 tables of their own",
        limited_by="host kernel",
        since=changes.FAKE_LEVELS,
        until=changes.PROTECTED_GUESTS,
        breaks=lambda case: case.protected,
        given=lambda case: f"v{case.kernel.version[0]}.{case.kernel.version[1]}",
        limit=lambda _: changes.PROTECTED_GUESTS.first,
        says=lambda _: (
            "kvm-arm.mode=protected has no stage-2 tables for protected guests"
        ),
        source=changes.PROTECTED_GUESTS.source,
        ways=("release",),
        of_any_width=True,
    ),
)
"""Every limit that KVM/arm64 applies or has applied."""


def _fakes_needed(case: KvmCase) -> str:
    needed = case.fake.fake_levels_needed
    if needed == 1:  # KVM_PREALLOC_LEVEL is 0 then, which says that there is none
        return "a fake level above level 0, which the scheme cannot express"
    return f"{needed} fake levels and the scheme has one"
