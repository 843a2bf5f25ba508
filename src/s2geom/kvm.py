# SPDX-License-Identifier: MIT
"""What KVM/arm64 chooses, what it refuses, and whose limit that is.

`stage2` gives the shape that a kernel uses and `check` says why it would not. Behind
both stands one table, `RULES`: a row for each limit that a kernel of some era applied.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import cast

from attrs import define, field, frozen

from s2geom._arguments import integer, integer_within, quoted
from s2geom._display import Displayed
from s2geom._public import public
from s2geom.architecture import (
    IPA_MAXIMUM,
    IPA_WITHOUT_LPA2,
    Cpu,
    page_sizes,
)
from s2geom.errors import (
    InvalidArgument,
    UnsupportedCombination,
    Violation,
    article,
    bits,
)
from s2geom.fake import FakePgd, fake_pgd_below
from s2geom.geometry import MOST_TABLES_SHIFT, Geometry
from s2geom.granule import LAST_LEVEL, Granule, granule_of
from s2geom.hw_pgtable import levels_for
from s2geom.rules import Rule, violations
from s2geom.scheme import Release, Scheme

IPA_MINIMUM = 32
VA_MINIMUM = 25
VA_MAXIMUM = 52
PA_BITS = (48, 52)

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
class _Case:
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
        pgdir_shift = self.granule.level_shift(LAST_LEVEL + 1 - self.host_levels)
        return pgdir_shift + self.granule.stride + MOST_TABLES_SHIFT

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
        return f"{article(self.ipa_bits)} {self.ipa_bits}-bit IPA"

    @property
    def host(self) -> str:
        return f"a {self.granule} host with a {self.va_bits}-bit VA"

    def above(self, limit: int) -> str:
        return f"{self.ipa} is {bits(self.ipa_bits - limit)} above"


def _largest(limit: int) -> str:
    limit = min(limit, IPA_MAXIMUM)
    if limit < IPA_MINIMUM:
        return f"it supports no IPA of {IPA_MINIMUM} bits or more"
    return f"the largest IPA it supports is {bits(limit)}"


def _narrower_or(limit: int, *others: str) -> str:
    limit = min(limit, IPA_MAXIMUM)
    narrower = (f"an IPA of at most {bits(limit)}",) if limit >= IPA_MINIMUM else ()
    return "use " + ", or ".join((*narrower, *others))


def _newer_kernel(case: _Case) -> str:
    if case.granule is Granule.K64 or case.ipa_bits <= IPA_WITHOUT_LPA2:
        return "Linux v5.10 or later"
    return "Linux v6.8 or later on a CPU with LPA2"


def _more_host_levels(case: _Case) -> str:
    # Wider than any IPA is another rule's matter, and no host has levels for it.
    ipa_bits = min(case.ipa_bits, IPA_MAXIMUM)
    va_bits = min(
        va_bits
        for granule, va_bits in KCONFIG_VA_BITS
        if granule is case.granule
        and levels_for(granule.stride, va_bits)
        >= levels_for(granule.stride, ipa_bits - MOST_TABLES_SHIFT)
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

    rule: Rule[_Case]
    schemes: frozenset[Scheme]
    ceiling: Callable[[_Case], int] | None = None
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
                f"use a host with {page_sizes(case.known_cpu.granules)} pages"
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


def _has_wide_ipa(case: _Case) -> bool:
    return case.granule is Granule.K64 or case.granule in case.known_cpu.lpa2


def _smallest_without_fake(case: _Case) -> int:
    # A fake PGD appears where at most 16 entries of the host's PGD are used.
    return case.fake.host_pgdir_shift + MOST_TABLES_SHIFT + 1


def _fakes_needed(case: _Case) -> str:
    needed = case.fake.fake_levels_needed
    if needed == 1:  # KVM_PREALLOC_LEVEL is 0 then, which says that there is none
        return "a fake level above level 0, which the scheme cannot express"
    return f"{needed} fake levels and the scheme has one"


def _asked_of(scheme: Scheme, *, with_cpu: bool) -> tuple[KvmRule, ...]:
    return tuple(
        row
        for row in RULES
        if scheme in row.schemes and (with_cpu or not row.needs_cpu)
    )


_ROWS = {
    (scheme, with_cpu): _asked_of(scheme, with_cpu=with_cpu)
    for scheme in Scheme
    for with_cpu in (False, True)
}
_RULES = {key: tuple(row.rule for row in rows) for key, rows in _ROWS.items()}


def _case(
    page_shift: int,
    ipa_bits: int,
    va_bits: int,
    pa_bits: int,
    scheme: Scheme,
    cpu: Cpu | None,
) -> _Case:
    """Check the arguments of a question."""
    granule = granule_of(page_shift)
    ipa_bits = integer("ipa_bits", ipa_bits)
    if ipa_bits < 0:
        raise InvalidArgument(f"ipa_bits must not be negative, got {ipa_bits}")
    va_bits = integer_within("va_bits", va_bits, VA_MINIMUM, VA_MAXIMUM)
    if type(scheme) is not Scheme:
        raise TypeError(f"scheme must be a Scheme, got {quoted(scheme)}")
    if cpu is not None and not isinstance(cpu, Cpu):
        raise TypeError(f"cpu must be a Cpu or None, got {quoted(cpu)}")
    pa_bits = kernel_pa_bits(pa_bits)
    stride = granule.stride
    return _Case(
        granule,
        ipa_bits,
        va_bits,
        pa_bits,
        scheme,
        cpu,
        levels_for(stride, va_bits),
        levels_for(stride, ipa_bits - MOST_TABLES_SHIFT),
    )


def _page_shift(value: int) -> int:
    return int(granule_of(value))


def _va_bits(value: int) -> int:
    return integer_within("va_bits", value, VA_MINIMUM, VA_MAXIMUM)


def kernel_pa_bits(value: int) -> int:
    """Return CONFIG_ARM64_PA_BITS, which is 48 or 52.

    Raises:
        InvalidArgument: It is another number.
        TypeError: It is no integer.
    """
    number = integer("pa_bits", value)
    if number not in PA_BITS:
        raise InvalidArgument(f"pa_bits must be 48 or 52, got {number}")
    return number


def _shape(case: _Case) -> Geometry:
    """Return the shape of a case that no rule refuses."""
    if case.scheme is Scheme.FAKE_PGD:
        return case.fake.geometry
    levels = max(case.levels, _MINIMUM_LEVELS[case.scheme])
    lpa2 = (
        case.scheme is Scheme.LPA2
        and case.granule is not Granule.K64
        and (case.cpu is None or case.granule in case.cpu.lpa2)
    )
    return _geometry(case.granule, case.ipa_bits, LAST_LEVEL + 1 - levels, lpa2)


_MINIMUM_LEVELS = {scheme: scheme.minimum_levels for scheme in Scheme}

# Many hosts and schemes share a shape, so one value serves them all.
_geometry = lru_cache(maxsize=None)(Geometry)


Answer = Geometry | tuple[Violation, ...]

_ANSWERS: dict[tuple[int, int, int, int, Scheme, Cpu | None], Answer] = {}
"""Every answer inside the domain so far, shapes and refusals alike: it is finite."""

_MOST_ANSWERS = 1 << 16
"""Far more than there are configurations: only a flood of CPUs starts anew."""


def _answer(
    page_shift: int,
    ipa_bits: int,
    va_bits: int,
    pa_bits: int,
    scheme: Scheme,
    cpu: Cpu | None,
) -> Answer:
    """Work out an answer, and remember it by plain integers."""
    case = _case(page_shift, ipa_bits, va_bits, pa_bits, scheme, cpu)
    answer = violations(_RULES[scheme, cpu is not None], case) or _shape(case)
    # Widths of the domain alone: as a key, True is 1, but it is no width.
    if case.is_in_domain:
        if len(_ANSWERS) >= _MOST_ANSWERS:
            _ANSWERS.clear()
        key = (case.granule, case.ipa_bits, case.va_bits, case.pa_bits, scheme, cpu)
        _ANSWERS[key] = answer
    return answer


@public
def stage2(
    page_shift: int,
    ipa_bits: int,
    va_bits: int = 48,
    *,
    pa_bits: int = 48,
    scheme: Scheme = Scheme.STATIC,
    cpu: Cpu | None = None,
) -> Geometry:
    """Return the shape of stage 2 that KVM uses.

    Args:
        page_shift: log2 of the host's page size: 12, 14 or 16.
        ipa_bits: Width of the guest's addresses in bits; KVM has 32..52.
        va_bits: Width of the host's virtual addresses in bits, 25..52.
        pa_bits: The host's CONFIG_ARM64_PA_BITS: 48 or 52.
        scheme: How the kernel chooses; see `Scheme.for_release`.
        cpu: What bounds the answer by PARange, granules and LPA2; None asks for the
            kernel's own rules alone, as on a CPU that can do anything.

    Raises:
        UnsupportedCombination: The kernel or the CPU refuses; it carries every
            violation.
        InvalidArgument: A value is outside its range.
        TypeError: A value has the wrong type.

    Source: Linux, arch/arm64/include/asm/stage2_pgtable.h, of the scheme's releases.

    >>> stage2(page_shift=14, ipa_bits=40, va_bits=36)
    Geometry(granule=Granule.K16, ipa_bits=40, start_level=2, lpa2=False)
    """
    try:
        # A float equals an int as a key, but has no "|": 14.0 is refused after 14 too.
        answer = _ANSWERS[
            page_shift | 0, ipa_bits | 0, va_bits | 0, pa_bits | 0, scheme, cpu
        ]
    except (KeyError, TypeError):  # not asked before, or no width at all
        answer = None
    if answer is None:  # outside the handler: a mistake has no other cause to show
        answer = _answer(page_shift, ipa_bits, va_bits, pa_bits, scheme, cpu)
    if isinstance(answer, Geometry):
        return answer
    raise UnsupportedCombination(answer)


@public
def check(
    page_shift: int,
    ipa_bits: int,
    va_bits: int = 48,
    *,
    pa_bits: int = 48,
    scheme: Scheme = Scheme.STATIC,
    cpu: Cpu | None = None,
) -> tuple[Violation, ...]:
    """Return every limit that a configuration breaks; empty means supported.

    Args:
        page_shift: log2 of the host's page size: 12, 14 or 16.
        ipa_bits: Width of the guest's addresses in bits; KVM has 32..52.
        va_bits: Width of the host's virtual addresses in bits, 25..52.
        pa_bits: The host's CONFIG_ARM64_PA_BITS: 48 or 52.
        scheme: How the kernel chooses; see `Scheme.for_release`.
        cpu: What bounds the answer by PARange, granules and LPA2, or None.

    Raises:
        InvalidArgument: A value is outside its range.
        TypeError: A value has the wrong type.

    >>> [violation.rule for violation in check(14, 41, 36)]
    ['levels-exceed-host']
    """
    answer = _answer(page_shift, ipa_bits, va_bits, pa_bits, scheme, cpu)
    return answer if isinstance(answer, tuple) else ()


@public
@frozen
class Host(Displayed):
    """A host kernel, as far as stage 2 depends on it.

    Args:
        page_shift: log2 of the page size: 12, 14 or 16.
        va_bits: Width of its virtual addresses in bits, 25..52. Any is arithmetic;
            `kconfig_legal` says whether Kconfig ever offered it.
        pa_bits: CONFIG_ARM64_PA_BITS: 48 or 52.

    Raises:
        InvalidArgument: A value is outside its range.
        TypeError: A value is no integer.

    >>> Host(page_shift=14, va_bits=36).max_ipa_bits()
    40
    """

    page_shift: int = field(converter=_page_shift)
    va_bits: int = field(converter=_va_bits)
    pa_bits: int = field(default=48, converter=kernel_pa_bits)

    @property
    def granule(self) -> Granule:
        """The page size as a granule."""
        return Granule(self.page_shift)

    @property
    def pgtable_levels(self) -> int:
        """Levels of the host's own page tables (CONFIG_PGTABLE_LEVELS)."""
        return levels_for(self.granule.stride, self.va_bits)

    @property
    def pgdir_shift(self) -> int:
        """log2 of what one entry of the host's own PGD maps (PGDIR_SHIFT)."""
        return self.granule.level_shift(LAST_LEVEL + 1 - self.pgtable_levels)

    @property
    def kconfig_legal(self) -> bool:
        """Whether Kconfig ever offered these three together.

        52-bit physical addresses are free to choose with 64K pages; with 4K and 16K
        they come with 52-bit virtual addresses, and only with those (v6.9).
        """
        if (self.granule, self.va_bits) not in KCONFIG_VA_BITS:
            return False
        return self.granule is Granule.K64 or (self.pa_bits == 52) == (
            self.va_bits == 52
        )

    def stage2(
        self, ipa_bits: int, *, scheme: Scheme = Scheme.STATIC, cpu: Cpu | None = None
    ) -> Geometry:
        """Return the shape of stage 2 that KVM uses on this host; see `stage2`."""
        return stage2(
            self.page_shift,
            ipa_bits,
            self.va_bits,
            pa_bits=self.pa_bits,
            scheme=scheme,
            cpu=cpu,
        )

    def check(
        self, ipa_bits: int, *, scheme: Scheme = Scheme.STATIC, cpu: Cpu | None = None
    ) -> tuple[Violation, ...]:
        """Return every limit that an IPA width breaks on this host; see `check`."""
        return check(
            self.page_shift,
            ipa_bits,
            self.va_bits,
            pa_bits=self.pa_bits,
            scheme=scheme,
            cpu=cpu,
        )

    def max_ipa_bits(
        self, scheme: Scheme = Scheme.STATIC, cpu: Cpu | None = None
    ) -> int | None:
        """Return the widest IPA that KVM supports on this host, in closed form.

        Args:
            scheme: How the kernel chooses.
            cpu: What bounds the answer, or None for a CPU that can do anything.

        Returns:
            32..52 bits, or None when no width from 32 bits on fits.

        Raises:
            TypeError: A value has the wrong type.
        """
        case = _case(
            self.page_shift, IPA_MAXIMUM, self.va_bits, self.pa_bits, scheme, cpu
        )
        rows = _ROWS[scheme, cpu is not None]
        widest = min(row.ceiling(case) for row in rows if row.ceiling)
        # Where the lowest ceiling is refused, it is by a limit that is no ceiling,
        # and such a limit refuses every narrower IPA too.
        fits = widest >= IPA_MINIMUM and not self.check(widest, scheme=scheme, cpu=cpu)
        return widest if fits else None

    def to_dict(self) -> dict[str, int]:
        """Return the three facts as plain JSON types."""
        return {
            "page_shift": self.page_shift,
            "va_bits": self.va_bits,
            "pa_bits": self.pa_bits,
        }
