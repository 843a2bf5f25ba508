# SPDX-License-Identifier: MIT
"""`Question`: a configuration, and KVM's answer.

The axes of a question stand here once. `stage2`, `check`, `Host` and `KernelConfig` are
its face: they make questions of their arguments, and a survey makes a grid of them. An
answer is a `Geometry`, or every limit in its way: first KVM's own, by the table in
`limits`, then the architecture's for the shape that KVM would choose.
"""

from functools import lru_cache, partial
from typing import Any

from attrs import evolve, frozen

from s2geom.core.errors import InvalidArgument, Violation, Violations, Ways
from s2geom.core.geometry import Geometry
from s2geom.core.granule import LAST_LEVEL, Granule, granule_of
from s2geom.core.numbers import flag, integer, integer_within
from s2geom.core.rules import NONE_BROKEN
from s2geom.cpu.cpu import ANY_CPU, Cpu, optional_cpu
from s2geom.cpu.sizes import IPA_WITHOUT_LPA2
from s2geom.kernel.changes import DEFAULT_CHECKED, STATIC_LEVELS
from s2geom.kernel.limits import (
    IPA_MINIMUM,
    KERNEL_PA_BITS,
    KVM_PHYS_SHIFT,
    LIMITS,
    VA_MAXIMUM,
    VA_MINIMUM,
    KvmCase,
    KvmLimit,
)
from s2geom.kernel.scheme import Kernel, Scheme, kernel_of, kernel_of_call
from s2geom.kernel.ways import WIDTHS, candidates, written

Answer = Geometry | Violations


@frozen(repr=False)
class Question(KvmCase):
    """A configuration, as KVM is asked about it.

    `question` makes one of a call's arguments; `with_` changes one argument, as for the
    next cell of a grid.

    Args:
        granule: The host's page size.
        ipa_bits: Width of the guest's addresses in bits.
        va_bits: Width of the host's virtual addresses in bits.
        pa_bits: CONFIG_ARM64_PA_BITS.
        kernel: The scheme or the release; see `kernel_of_call`.
        protected: Whether the host runs with kvm-arm.mode=protected.
        cpu: The CPU; None asks whether some CPU gives the width.

    >>> seed = question(14, 41, 36)
    >>> seed.answer()[0].rule
    'levels-exceed-host'
    >>> seed.with_("release", "5.10").answer().levels
    3
    """

    def answer(self) -> Answer:
        """Return the shape that KVM uses, or every limit in its way."""
        place = self._place()
        if not self.is_in_domain or not place.supports(self):
            return self.refusal()
        # Every protected guest is as wide as KVM's limit.
        return place.tree(place.ceiling if self.protected else self.ipa_bits)[0]

    def shapes(self) -> dict[int, Geometry]:
        """Return the shape of every width that passes every limit, this one or not."""
        place, shapes = self._place(), {}
        for width in range(IPA_MINIMUM, place.ceiling + 1):
            shape, illegal = place.tree(width)
            # Most places have no row that looks at the question again.
            if not illegal and (place.is_open or place.supports(self.at(width))):
                shapes[width] = shape
        return shapes

    def at(self, ipa_bits: int) -> "Question":
        """Return the question with another width."""
        host = self.granule, ipa_bits, self.va_bits, self.pa_bits
        return Question(*host, self.kernel, self.protected, self.cpu)

    def _place(self) -> "_Place":
        """Return what all widths have in common."""
        host = self.granule, self.va_bits, self.pa_bits
        key = *host, self.kernel, self.protected, self.cpu
        place = _PLACES.get(key)
        if place is None:
            if len(_PLACES) >= _MOST_PLACES:
                _PLACES.clear()
                _TREES.clear()
            place = _PLACES[key] = _Place.of(self)
        return place

    def violations(self) -> Violations:
        """Return every limit that it breaks, or nothing."""
        answer = self.answer()
        return answer if isinstance(answer, Violations) else NONE_BROKEN

    def refusal(self) -> Violations:
        """Return every limit that it breaks: KVM's, then the architecture's."""
        place = self._place()
        broken = place.broken(self)
        told = [_told(self, row) for row in broken]
        illegal = place.tree(self.ipa_bits)[1] if self.is_in_domain else ()
        if illegal:
            silent = {rule for row in broken for rule in row.tells}
            if self.ipa_bits > place.ceiling:  # what follows from a width goes with it
                silent |= _START_LEVEL_RULES
            told += [
                _told(self, violation)
                for violation in illegal
                if violation.rule not in silent
            ]
        return Violations(told)

    def rules(self) -> frozenset[str]:
        """Return the ids of the limits that it breaks."""
        return frozenset(violation.rule for violation in self.violations())

    def widest(self) -> int | None:
        """Return the widest IPA that passes every limit, in closed form.

        Returns:
            32..52 bits, or None when no width does.
        """
        place = self._place()
        widest = KVM_PHYS_SHIFT if self.kernel.has_one_width else place.ceiling
        # Where the lowest ceiling is refused, it is by a limit that is no ceiling,
        # and such a limit refuses every narrower IPA too.
        fits = widest >= IPA_MINIMUM and place.supports(self.at(widest))
        return widest if fits else None

    def supported(self) -> tuple[int, ...]:
        """Return every width that passes every limit, ascending."""
        if self.protected:
            widest = self.widest()
            return () if widest is None else (widest,)
        return tuple(self.shapes())

    def accepted(self) -> tuple[int, ...]:
        """Return every width that KVM_CREATE_VM accepts, ascending.

        A kernel may accept what no guest can run with, or with less than was asked for.
        """
        if self.protected:  # KVM does not look at the width
            return () if self.widest() is None else tuple(WIDTHS)
        # Between these two, 40 bits were given with a warning to any CPU that has KVM.
        version = self.kernel.version
        spared = STATIC_LEVELS.is_in(version) and not DEFAULT_CHECKED.is_in(version)
        return tuple(
            width
            for width in WIDTHS
            if not any(
                row.refuses_vm_in(self.kernel)
                and not (row.spares_default and spared and width == KVM_PHYS_SHIFT)
                for row in self._place().broken(self.at(width))
            )
        )

    @property
    def premises(self) -> tuple[str, ...]:
        """What the answer assumes, a clause each."""
        if self.cpu is not None:
            return self.kernel.premises
        text = "no CPU was named: its PARange and page sizes are taken to suffice"
        if self.may_have_lpa2:
            text += ", and LPA2 to be used above 48 bits alone"
        return (*self.kernel.premises, text)

    # What leads out of a limit

    def with_(self, what: str, value: Any) -> "Question":
        """Return the question with one of the arguments in `Violation.ways` changed."""
        if what == "page_shift":
            return evolve(self, granule=Granule(value))
        if what == "release":
            return evolve(self, kernel=kernel_of(value))
        return evolve(self, **{what: value})


@lru_cache(maxsize=4096)
def _ways(question: Question, rule: str) -> Ways:
    """Ask every candidate: each way removes the violation and adds none."""
    listed = question.rules()
    found: list[tuple[str, Any]] = []
    for what in _TRIES.get(rule, _EVERY_ARGUMENT):
        left = {
            value: question.with_(what, value).rules()
            for value in candidates(question, what)
        }
        lead_out = [
            value for value, rules in left.items() if rule not in rules <= listed
        ]
        if what == "release":  # "or later" has to hold
            while lead_out and [*left][-len(lead_out) :] != lead_out:
                del lead_out[0]
        if what == "page_shift":
            found += [(what, value) for value in lead_out]
        elif lead_out:  # rather one that passes every limit
            best = min(lead_out, key=lambda value: bool(left[value]))
            found.append((what, best))
    return tuple(found)


def _told(question: Question, broken: KvmLimit | Violation) -> Violation:
    """Return a violation whose fix is one for the question."""
    if isinstance(broken, KvmLimit):
        rule, message = broken.id, partial(broken.message, question)
        given, limit = broken.given(question), broken.limit(question)
    else:
        rule, message = broken.rule, partial(str, broken)
        given, limit = broken.given, broken.limit
    return Violation(
        rule,
        message,
        broken.limited_by,
        given,
        limit,
        partial(_fix, question, rule),
        broken.source,
        partial(_ways, question, rule),
    )


def _fix(question: Question, rule: str) -> str:
    return written(question, _ways(question, rule))


_TRIES = {row.id: row.ways for row in LIMITS} | {
    "ipa-above-48-without-lpa2": ("ipa_bits", "cpu", "page_shift", "release")
}
_EVERY_ARGUMENT = ("ipa_bits", "va_bits", "page_shift", "release", "cpu")

_START_LEVEL_RULES = frozenset(
    {
        "start-level-does-not-exist",
        "start-level-needs-lpa2",
        "start-level-needs-pa",
        "start-level-needs-ttst",
        "ipa-too-large-for-start-level",
        "ipa-too-small-for-start-level",
    }
)
"""Rules of the architecture about a start level, which follows from the width."""

# What all widths have in common

_Tree = tuple[Geometry, Violations]


@frozen(eq=False, repr=False)
class _Place:
    """A host, a kernel and a CPU: what a question asks beside the width.

    Args:
        case: A question there, of any width.
        rows: The rows that are asked, with their ceilings in bits.
        ceiling: The widest IPA that no ceiling cuts off, the architecture's included.
        refuses_all: Whether a row that looks at no width refuses every guest.
        others: The rows that look at the width and have no ceiling.
        is_open: Whether neither of these two refuses anything.
        may_have_lpa2: Whether KVM uses LPA2 descriptors if the width needs them.
        trees: Shapes on that CPU, with the rules of the architecture they break.
        host_levels: Levels of the host's own page tables.
        minimum_levels: Fewest levels that the kernel chooses.
    """

    case: KvmCase
    rows: tuple[tuple[KvmLimit, int | None], ...]
    ceiling: int
    refuses_all: bool
    others: tuple[KvmLimit, ...]
    is_open: bool
    may_have_lpa2: bool
    trees: dict[tuple[Granule, int, int, bool], _Tree]
    host_levels: int
    minimum_levels: int

    @classmethod
    def of(cls, case: KvmCase) -> "_Place":
        rows = tuple(
            (row, row.ceiling(case) if row.ceiling else None)
            for row in _rows(case.kernel, case.cpu is not None)
        )
        ceiling = min(bits for _, bits in rows if bits is not None)
        may_have_lpa2 = case.may_have_lpa2
        if case.granule is not Granule.K64 and not may_have_lpa2:
            ceiling = min(ceiling, IPA_WITHOUT_LPA2)
        plain = [row for row, bits in rows if bits is None and not row.from_below]
        refuses_all = any(row.breaks(case) for row in plain if row.of_any_width)
        others = tuple(row for row in plain if not row.of_any_width)
        return cls(
            case,
            rows,
            ceiling,
            refuses_all,
            others,
            not refuses_all and not others,
            may_have_lpa2,
            _TREES.setdefault(case.cpu, {}),
            case.host_levels,
            _MINIMUM_LEVELS[case.kernel.scheme],
        )

    def supports(self, case: KvmCase) -> bool:
        """Return whether a width from 32 bits on passes every limit."""
        if case.ipa_bits > self.ceiling or self.refuses_all:
            return False
        for row in self.others:
            if row.breaks(case):
                return False
        return not self.tree(case.ipa_bits)[1]

    def broken(self, case: KvmCase) -> list[KvmLimit]:
        """Return the rows of KVM's own table that a case breaks."""
        return [
            row
            for row, ceiling in self.rows
            if (row.breaks(case) if ceiling is None else case.ipa_bits > ceiling)
        ]

    def tree(self, ipa_bits: int) -> _Tree:
        """Return the shape that KVM would choose, and the rules that it breaks."""
        case = self.case
        granule = case.granule
        if case.kernel.scheme is Scheme.FAKE_PGD:
            start_level = case.fake_at(ipa_bits).geometry.start_level
        else:
            levels = granule.stage2_levels_for(ipa_bits)
            start_level = LAST_LEVEL + 1 - max(levels, self.minimum_levels)
        # Without a CPU, LPA2 only where the width needs it.
        lpa2 = self.may_have_lpa2 and (
            case.cpu is not None or ipa_bits > IPA_WITHOUT_LPA2
        )
        key = granule, ipa_bits, start_level, lpa2
        tree = self.trees.get(key)
        if tree is None:
            shape = _geometry(*key)
            tree = self.trees[key] = shape, (case.cpu or ANY_CPU).check(shape)
        return tree


_PLACES: dict[tuple[Granule, int, int, Kernel, bool, Cpu | None], _Place] = {}
_TREES: dict[Cpu | None, dict[tuple[Granule, int, int, bool], _Tree]] = {}
_MOST_PLACES = 1 << 12
"""Far more than there are kernels and hosts: only a flood of CPUs fills it."""

# Many hosts and kernels share a shape, so one value serves them all.
_geometry = lru_cache(maxsize=None)(Geometry)

_MINIMUM_LEVELS = {scheme: scheme.minimum_levels for scheme in Scheme}


@lru_cache(maxsize=1024)
def _rows(kernel: Kernel, with_cpu: bool) -> tuple[KvmLimit, ...]:
    return tuple(row for row in LIMITS if row.is_asked(kernel, with_cpu=with_cpu))


def question(
    page_shift: int,
    ipa_bits: int,
    va_bits: int = 48,
    *,
    pa_bits: int = 48,
    scheme: Scheme | None = None,
    release: str | None = None,
    protected: bool = False,
    cpu: Cpu | None = None,
    kernel: Kernel | None = None,
) -> Question:
    """Check the arguments of `stage2`, and return the question that they ask.

    A ``kernel`` takes the place of ``scheme`` and ``release``.

    Raises:
        InvalidArgument: A value is outside its range, both a scheme and a release are
            given, or a protected host has no CPU.
        UnsupportedCombination: The release is older than v3.18.
        TypeError: A value has the wrong type.
    """
    granule = granule_of(page_shift)
    ipa_bits = integer("ipa_bits", ipa_bits)
    if ipa_bits < 0:
        raise InvalidArgument(f"ipa_bits must not be negative, got {ipa_bits}")
    va_bits = integer_within("va_bits", va_bits, VA_MINIMUM, VA_MAXIMUM)
    pa_bits = kernel_pa_bits(pa_bits)
    cpu = optional_cpu(cpu)
    if flag("protected", protected):
        if cpu is None:
            raise InvalidArgument(
                "protected=True needs a cpu: every guest is as wide as KVM's limit, "
                "which is the CPU's"
            )
        if release is None and scheme is None:
            scheme = Scheme.LPA2
    if kernel is None:
        kernel = kernel_of_call(scheme, release)
    return Question(granule, ipa_bits, va_bits, pa_bits, kernel, protected, cpu)


def kernel_pa_bits(value: int) -> int:
    """Return CONFIG_ARM64_PA_BITS, which is 48 or 52.

    Raises:
        InvalidArgument: It is another number.
        TypeError: It is no integer.
    """
    number = integer("pa_bits", value)
    if number not in KERNEL_PA_BITS:
        raise InvalidArgument(f"pa_bits must be 48 or 52, got {number}")
    return number
