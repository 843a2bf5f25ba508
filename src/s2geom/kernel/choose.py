# SPDX-License-Identifier: MIT
"""`stage2` and `check`: the shape that KVM/arm64 chooses, or why it refuses.

They are the public face of `question`, and remember its answers.
"""

from s2geom.core.errors import UnsupportedCombination, Violations
from s2geom.core.geometry import Geometry
from s2geom.core.public import public
from s2geom.core.rules import NONE_BROKEN
from s2geom.cpu.cpu import Cpu
from s2geom.kernel.limits import WIDTHS
from s2geom.kernel.question import Question, question
from s2geom.kernel.scheme import Scheme


class Refusal:
    """The answer no; why is worked out when somebody wants to know.

    Args:
        asked: The question, perhaps with another width.
        ipa_bits: The width that is refused.
        widest: The widest IPA that passes every limit, or None.
        violations: Every limit that is broken, if that is known.
    """

    __slots__ = ("_violations", "asked", "ipa_bits", "widest")

    def __init__(
        self,
        asked: Question,
        ipa_bits: int,
        widest: int | None,
        violations: Violations | None = None,
    ) -> None:
        self.asked: Question = asked
        self.ipa_bits: int = ipa_bits
        self.widest: int | None = widest
        self._violations: Violations | None = violations

    @property
    def violations(self) -> Violations:
        """Every limit that is broken."""
        if self._violations is None:
            place = self.asked.place()
            self._violations = place.refusal(self.asked.at(self.ipa_bits))
        return self._violations

    def raised(self) -> UnsupportedCombination:
        """Return a new exception that says so."""
        return UnsupportedCombination(self.violations, self.widest)


_ANSWERS: dict[
    tuple[int, int, int, int, Scheme | None, str | None, Cpu | None],
    Geometry | Refusal,
] = {}
"""Answers inside the domain so far. The keys are arguments as they were given: ``|`` of
all widths raises TypeError where one is a float, which equals an int as a key."""

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
    try:
        _ = page_shift | ipa_bits | va_bits | pa_bits
        key = page_shift, ipa_bits, va_bits, pa_bits, scheme, release, cpu
        answer = _ANSWERS[key]
    except (KeyError, TypeError, OverflowError):
        pass  # not asked before, of a wrong type, or too wide for numpy's `|`
    if answer is None or protected is not False:
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
    try:
        _ = page_shift | ipa_bits | va_bits | pa_bits
        key = page_shift, ipa_bits, va_bits, pa_bits, scheme, release, cpu
        answer = _ANSWERS[key]
    except (KeyError, TypeError, OverflowError):
        pass  # not asked before, of a wrong type, or too wide for numpy's `|`
    if answer is None or protected is not False:
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
