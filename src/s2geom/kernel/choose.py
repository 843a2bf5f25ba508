# SPDX-License-Identifier: MIT
"""What KVM/arm64 chooses, and what it refuses.

`stage2` gives the shape that a kernel uses and `check` says why it would not. Whose
limits those are stands in `kvm_rules`; here they are asked, and answers remembered.
"""

from functools import lru_cache

from attrs import field, frozen

from s2geom.core.display import Displayed
from s2geom.core.errors import InvalidArgument, UnsupportedCombination, Violations
from s2geom.core.geometry import Geometry
from s2geom.core.granule import LAST_LEVEL, Granule, granule_of
from s2geom.core.numbers import integer, integer_within
from s2geom.core.public import public
from s2geom.core.rules import NONE_BROKEN, violations
from s2geom.cpu.cpu import Cpu, optional_cpu
from s2geom.cpu.sizes import IPA_MAXIMUM
from s2geom.kernel.limits import (
    IPA_MINIMUM,
    KCONFIG_VA_BITS,
    PA_BITS,
    RULES,
    VA_MAXIMUM,
    VA_MINIMUM,
    KvmCase,
    KvmRule,
)
from s2geom.kernel.scheme import Scheme, scheme_of


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
) -> KvmCase:
    """Check the arguments of a question."""
    granule = granule_of(page_shift)
    ipa_bits = integer("ipa_bits", ipa_bits)
    if ipa_bits < 0:
        raise InvalidArgument(f"ipa_bits must not be negative, got {ipa_bits}")
    va_bits = integer_within("va_bits", va_bits, VA_MINIMUM, VA_MAXIMUM)
    scheme, cpu = scheme_of(scheme), optional_cpu(cpu)
    pa_bits = kernel_pa_bits(pa_bits)
    return KvmCase(
        granule,
        ipa_bits,
        va_bits,
        pa_bits,
        scheme,
        cpu,
        granule.levels_for(va_bits),
        granule.stage2_levels_for(ipa_bits),
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


def _shape(case: KvmCase) -> Geometry:
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


Answer = Geometry | Violations

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
) -> Violations:
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
    return answer if isinstance(answer, Violations) else NONE_BROKEN


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
        return self.granule.levels_for(self.va_bits)

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
    ) -> Violations:
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
