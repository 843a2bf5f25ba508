# SPDX-License-Identifier: MIT
"""`stage2`, `check` and `Host`: the shape that KVM/arm64 chooses, or why it refuses.

They are the public face of `question`, and remember its answers.
"""

from attrs import define, field, frozen

from s2geom.core.display import Displayed
from s2geom.core.errors import UnsupportedCombination, Violations
from s2geom.core.geometry import Geometry
from s2geom.core.granule import LAST_LEVEL, Granule, granule_of
from s2geom.core.numbers import integer_within
from s2geom.core.public import public
from s2geom.core.rules import NONE_BROKEN
from s2geom.cpu.cpu import Cpu
from s2geom.cpu.sizes import IPA_MAXIMUM
from s2geom.kernel.limits import KCONFIG_VA_BITS, VA_MAXIMUM, VA_MINIMUM
from s2geom.kernel.question import Question, kernel_pa_bits, question
from s2geom.kernel.scheme import Scheme
from s2geom.kernel.ways import WIDTHS


@define(eq=False, repr=False)
class Refusal:
    """The answer no; why is worked out when somebody wants to know.

    Args:
        asked: The question, perhaps with another width.
        ipa_bits: The width that is refused.
        widest: The widest IPA that passes every limit, or None.
    """

    asked: Question
    ipa_bits: int
    widest: int | None
    _violations: Violations | None = None

    @property
    def violations(self) -> Violations:
        """Every limit that is broken."""
        if self._violations is None:
            self._violations = self.asked.at(self.ipa_bits).refusal()
        return self._violations

    def raised(self) -> UnsupportedCombination:
        """Return a new exception that says so."""
        return UnsupportedCombination(self.violations, self.widest)


_ANSWERS: dict[
    tuple[int, int, int, int, Scheme | None, str | None, Cpu | None],
    Geometry | Refusal,
] = {}
"""Answers inside the domain so far. The keys are arguments as they were given: ``| 0``
raises TypeError for a float, which equals an int as a key."""

_MOST_ANSWERS = 1 << 16
"""Far more than there are configurations: only a flood of CPUs fills it."""


def _new_answer(
    asked: Question, scheme: Scheme | None, release: str | None
) -> Geometry | Refusal:
    """Work out an answer, and remember it."""
    if not asked.is_in_domain or asked.protected:
        answer = asked.answer()
        if isinstance(answer, Geometry):
            return answer
        return Refusal(asked, asked.ipa_bits, asked.widest(), answer)
    if len(_ANSWERS) + len(WIDTHS) > _MOST_ANSWERS:
        _ANSWERS.clear()
    # All widths together, as most callers ask for several. Widths of the domain alone:
    # as a key, True is 1, but it is no width.
    shapes = asked.shapes()
    widest = max(shapes, default=None)
    page_shift, va_bits, pa_bits = int(asked.granule), asked.va_bits, asked.pa_bits
    for width in WIDTHS:
        key = page_shift, width, va_bits, pa_bits, scheme, release, asked.cpu
        _ANSWERS[key] = shapes.get(width) or Refusal(asked, width, widest)
    return shapes.get(asked.ipa_bits) or Refusal(asked, asked.ipa_bits, widest)


@public
def stage2(
    page_shift: int,
    ipa_bits: int,
    va_bits: int = 48,
    *,
    pa_bits: int = 48,
    scheme: Scheme | None = None,
    release: str | None = None,
    protected: bool = False,
    cpu: Cpu | None = None,
) -> Geometry:
    """Return the shape of stage 2 that KVM uses.

    A shape that is returned is one that a guest can run with: the kernel, the
    architecture and the CPU allow it. Without a CPU, one is assumed that has the page
    size and a large enough PARange, and that has LPA2 only where the width needs it. A
    release whose third number is 0 and which goes on with a number, as Debian's
    ``"5.10.0-32-arm64"``, is assumed to have every stable back-port of its branch; one
    that is newer than the newest that was read, to decide as that one; and EL8's 4.18
    to have v4.20's code.

    Args:
        page_shift: log2 of the host's page size: 12, 14 or 16.
        ipa_bits: Width of the guest's addresses in bits; KVM has 32..52.
        va_bits: Width of the host's virtual addresses in bits, 25..52.
        pa_bits: The host's CONFIG_ARM64_PA_BITS: 48 or 52.
        scheme: A formula, with the limits of its last release; None for `STATIC`'s
            where no release is given either.
        release: A kernel by its release, such as ``"6.12"`` or ``"5.10.0-32-arm64"``,
            with its own limits, stable back-ports included. Before v4.20 every guest
            has 40 bits.

            .. versionadded:: 0.2.0
        protected: Whether the host runs with kvm-arm.mode=protected. The shape then has
            KVM's limit, whatever width was asked for. It needs ``cpu``, and without
            scheme and release means `LPA2`.

            .. versionadded:: 0.2.0
        cpu: What bounds the answer by PARange, page sizes and LPA2; None asks whether
            some CPU gives the width.

    Raises:
        UnsupportedCombination: The kernel, the architecture or the CPU refuses. It
            carries every violation, and the widest IPA that passes.
        InvalidArgument: A value is outside its range, or both a scheme and a release
            are given.
        TypeError: A value has the wrong type.

    Source: Linux, arch/arm64/include/asm/stage2_pgtable.h and arch/arm64/kvm/reset.c;
    the commits of each limit are in its ``source``.

    >>> stage2(page_shift=14, ipa_bits=40, va_bits=36)
    Geometry(granule=Granule.K16, ipa_bits=40, start_level=2, lpa2=False)
    >>> stage2(12, 48, release="6.12").levels
    4
    """
    answer: Geometry | Refusal | None = None
    if protected is False:
        try:
            answer = _ANSWERS[
                page_shift | 0,
                ipa_bits | 0,
                va_bits | 0,
                pa_bits | 0,
                scheme,
                release,
                cpu,
            ]
        except (KeyError, TypeError):  # not asked before, or of a wrong type
            answer = None
    if answer is None:
        asked = question(
            page_shift,
            ipa_bits,
            va_bits,
            pa_bits=pa_bits,
            scheme=scheme,
            release=release,
            protected=protected,
            cpu=cpu,
        )
        answer = _new_answer(asked, scheme, release)
    if isinstance(answer, Geometry):
        return answer
    raise answer.raised()


@public
def check(
    page_shift: int,
    ipa_bits: int,
    va_bits: int = 48,
    *,
    pa_bits: int = 48,
    scheme: Scheme | None = None,
    release: str | None = None,
    protected: bool = False,
    cpu: Cpu | None = None,
) -> Violations:
    """Return every limit that a configuration breaks; empty means supported.

    The arguments, and what is assumed, are those of `stage2`. What a release is too old
    for is a violation too.

    Args:
        page_shift: log2 of the host's page size: 12, 14 or 16.
        ipa_bits: Width of the guest's addresses in bits; KVM has 32..52.
        va_bits: Width of the host's virtual addresses in bits, 25..52.
        pa_bits: The host's CONFIG_ARM64_PA_BITS: 48 or 52.
        scheme: A formula, with the limits of its last release; None for `STATIC`'s
            where no release is given either.
        release: A kernel by its release, with its own limits.

            .. versionadded:: 0.2.0
        protected: Whether the host runs with kvm-arm.mode=protected.

            .. versionadded:: 0.2.0
        cpu: What bounds the answer by PARange, page sizes and LPA2, or None.

    Returns:
        KVM's own limits in the order of their table, then those of the architecture in
        the order of the CPU's checks.

    Raises:
        InvalidArgument: A value is outside its range, or both a scheme and a release
            are given.
        TypeError: A value has the wrong type.

    >>> [violation.rule for violation in check(14, 41, 36)]
    ['levels-exceed-host']
    >>> check(12, 42, release="4.15.0-112-generic")[0].limit
    40
    """
    answer: Geometry | Refusal | None = None
    if protected is False:
        try:
            answer = _ANSWERS[
                page_shift | 0,
                ipa_bits | 0,
                va_bits | 0,
                pa_bits | 0,
                scheme,
                release,
                cpu,
            ]
        except (KeyError, TypeError):  # not asked before, or of a wrong type
            answer = None
    if answer is None:
        try:
            asked = question(
                page_shift,
                ipa_bits,
                va_bits,
                pa_bits=pa_bits,
                scheme=scheme,
                release=release,
                protected=protected,
                cpu=cpu,
            )
        except UnsupportedCombination as refusal:  # older than the oldest scheme
            return refusal.violations
        answer = _new_answer(asked, scheme, release)
    return answer.violations if isinstance(answer, Refusal) else NONE_BROKEN


def _page_shift(value: int) -> int:
    return int(granule_of(value))


def _va_bits(value: int) -> int:
    return integer_within("va_bits", value, VA_MINIMUM, VA_MAXIMUM)


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
        self,
        ipa_bits: int,
        *,
        scheme: Scheme | None = None,
        release: str | None = None,
        protected: bool = False,
        cpu: Cpu | None = None,
    ) -> Geometry:
        """Return the shape of stage 2 that KVM uses on this host; see `stage2`."""
        return stage2(
            self.page_shift,
            ipa_bits,
            self.va_bits,
            pa_bits=self.pa_bits,
            scheme=scheme,
            release=release,
            protected=protected,
            cpu=cpu,
        )

    def check(
        self,
        ipa_bits: int,
        *,
        scheme: Scheme | None = None,
        release: str | None = None,
        protected: bool = False,
        cpu: Cpu | None = None,
    ) -> Violations:
        """Return every limit that an IPA width breaks on this host; see `check`."""
        return check(
            self.page_shift,
            ipa_bits,
            self.va_bits,
            pa_bits=self.pa_bits,
            scheme=scheme,
            release=release,
            protected=protected,
            cpu=cpu,
        )

    def max_ipa_bits(
        self,
        scheme: Scheme | None = None,
        cpu: Cpu | None = None,
        *,
        release: str | None = None,
        protected: bool = False,
    ) -> int | None:
        """Return the widest IPA that a guest can have on this host, in closed form.

        Args:
            scheme: A formula, with the limits of its last release.
            cpu: What bounds the answer, or None for a CPU that can do anything.
            release: A kernel by its release, in place of a scheme.

                .. versionadded:: 0.2.0
            protected: Whether the host runs with kvm-arm.mode=protected.

                .. versionadded:: 0.2.0

        Returns:
            32..52 bits, or None when no width from 32 bits on fits.

        Raises:
            UnsupportedCombination: The release is older than v3.18.
            InvalidArgument: Both a scheme and a release are given, or the release is
                none.
            TypeError: A value has the wrong type.
        """
        return question(
            self.page_shift,
            IPA_MAXIMUM,
            self.va_bits,
            pa_bits=self.pa_bits,
            scheme=scheme,
            release=release,
            protected=protected,
            cpu=cpu,
        ).widest()

    def to_dict(self) -> dict[str, int]:
        """Return the three facts as plain JSON types."""
        return {
            "page_shift": self.page_shift,
            "va_bits": self.va_bits,
            "pa_bits": self.pa_bits,
        }
