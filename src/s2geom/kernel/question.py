# SPDX-License-Identifier: MIT
"""`Question`: a configuration, and KVM's answer.

The axes of a question stand here once. `stage2`, `check`, `Host` and `KernelConfig` are
its face: they make questions of their arguments, and a survey makes a grid of them. An
answer is a `Geometry`, or every limit in its way: first KVM's own, by the table in
`limits`, then the architecture's for the shape that KVM would choose.
"""

from functools import lru_cache, partial
from typing import Any

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
    WIDTHS,
    KvmCase,
    KvmLimit,
    fake_macros,
)
from s2geom.kernel.scheme import Kernel, Scheme, kernel_of, kernel_of_call

Answer = Geometry | Violations


class Question(KvmCase):
    """A configuration, as KVM is asked about it; its fields are those of `KvmCase`.

    `question` makes one of a call's arguments; `with_` changes one argument, as for the
    next cell of a grid.

    >>> seed = question(14, 41, 36)
    >>> seed.answer()[0].rule
    'levels-exceed-host'
    >>> seed.with_("release", "5.10").answer().levels
    3
    """

    __slots__ = ()

    def answer(self) -> Answer:
        """Return the shape that KVM uses, or every limit in its way."""
        place = self.place()
        if not self.is_in_domain or not place.supports(self):
            return place.refusal(self)
        # Every protected guest is as wide as KVM's limit.
        return place.tree(place.ceiling if self.protected else self.ipa_bits)[0]

    def shapes(self) -> dict[int, Geometry]:
        """Return the shape of every width that passes every limit, this one or not."""
        place = self.place()
        shapes: dict[int, Geometry] = {}
        if place.refuses_all:
            return shapes
        for width, (shape, illegal) in enumerate(place.trees, IPA_MINIMUM):
            # Most places have no row that looks at the question again.
            if (
                width <= place.ceiling
                and not illegal
                and (not place.others or place.supports(self.at(width)))
            ):
                shapes[width] = shape
        return shapes

    def at(self, ipa_bits: int) -> "Question":
        """Return the question with another width."""
        host = self.granule, ipa_bits, self.va_bits, self.pa_bits
        return Question(*host, self.kernel, self.protected, self.cpu)

    def place(self) -> "Place":
        """Return what all widths have in common."""
        host = self.granule, self.va_bits, self.pa_bits
        key = *host, self.kernel, self.protected, self.cpu
        place = _PLACES.get(key)
        if place is None:
            if len(_PLACES) >= _MOST_PLACES:
                _PLACES.clear()
            place = _PLACES[key] = Place(self)
        return place

    def violations(self) -> Violations:
        """Return every limit that it breaks, or nothing."""
        answer = self.answer()
        return answer if isinstance(answer, Violations) else NONE_BROKEN

    def rules(self) -> frozenset[str]:
        """Return the ids of the limits that it breaks."""
        return frozenset(violation.rule for violation in self.violations())

    def widest(self) -> int | None:
        """Return the widest IPA that passes every limit, in closed form.

        Returns:
            32..52 bits, or None when no width does.
        """
        place = self.place()
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
                for row in self.place().broken(self.at(width))
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
            return self._replace(granule=Granule(value))
        if what == "release":
            return self._replace(kernel=kernel_of(value))
        return self._replace(**{what: value})


@lru_cache(maxsize=4096)
def _ways(question: Question, rule: str) -> Ways:
    """Ask every candidate: each way removes the violation and adds none."""
    from s2geom.kernel.ways import candidates  # noqa: PLC0415 - for refusals alone

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


def _broken_limit(question: Question, row: KvmLimit) -> Violation:
    """Return the violation of a row of KVM's own table."""
    return Violation(
        row.id,
        partial(row.message, question),
        row.limited_by,
        row.given(question),
        row.limit(question),
        partial(_fix, question, row.id),
        row.source,
        partial(_ways, question, row.id),
    )


def _with_ways(question: Question, broken: Violation) -> Violation:
    """Return a violation of the architecture with the ways out of the question."""
    rule = broken.rule
    return Violation(
        rule,
        partial(str, broken),
        broken.limited_by,
        broken.given,
        broken.limit,
        partial(_fix, question, rule),
        broken.source,
        partial(_ways, question, rule),
    )


def _fix(question: Question, rule: str) -> str:
    from s2geom.kernel.ways import written  # noqa: PLC0415 - for refusals alone

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


class Place:  # a plain class, as making an attrs class takes import time
    """A host, a kernel and a CPU: what a question asks beside the width."""

    def __init__(self, case: KvmCase) -> None:
        asked, others = _rows(case.kernel, case.cpu is not None)
        self.others: tuple[KvmLimit, ...] = others
        self.refuses_all: bool = any(
            row.of_any_width and row.breaks(case) for row in asked
        )
        # The rows that can be broken here, with their ceilings in bits.
        self.rows: tuple[tuple[KvmLimit, int | None], ...] = tuple(
            (row, row.ceiling(case) if row.ceiling else None)
            for row in asked
            if not row.of_any_width or row.breaks(case)
        )
        # Whether KVM uses LPA2 descriptors if the width needs them, and the widest IPA
        # that no ceiling cuts off, the architecture's included.
        self.may_have_lpa2: bool = case.may_have_lpa2
        self.ceiling: int = min(bits for _, bits in self.rows if bits is not None)
        if case.granule is not Granule.K64 and not self.may_have_lpa2:
            self.ceiling = min(self.ceiling, IPA_WITHOUT_LPA2)
        is_fake = case.kernel.scheme is Scheme.FAKE_PGD
        self.trees: tuple[_Tree, ...] = _trees(
            case.granule,
            case.host_levels if is_fake else None,
            case.kernel.scheme.minimum_levels,
            self.may_have_lpa2,
            case.cpu,
        )

    def supports(self, case: KvmCase) -> bool:
        """Return whether a width of the domain passes every limit."""
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

    def refusal(self, case: Question) -> Violations:
        """Return every limit that a case breaks: KVM's, then the architecture's."""
        broken = self.broken(case)
        told = [_broken_limit(case, row) for row in broken]
        illegal = self.tree(case.ipa_bits)[1] if case.is_in_domain else ()
        if illegal:
            silent = {rule for row in broken for rule in row.tells}
            if case.ipa_bits > self.ceiling:  # what follows from a width goes with it
                silent |= _START_LEVEL_RULES
            told += [
                _with_ways(case, violation)
                for violation in illegal
                if violation.rule not in silent
            ]
        return Violations(told)

    def tree(self, ipa_bits: int) -> _Tree:
        """Return the shape that KVM would choose, and the rules that it breaks."""
        return self.trees[ipa_bits - IPA_MINIMUM]


_PLACES: dict[tuple[Granule, int, int, Kernel, bool, Cpu | None], Place] = {}
_MOST_PLACES = 1 << 12
"""Far more than there are kernels and hosts: only a flood of CPUs fills it."""

# Many hosts and kernels share a shape, so one value serves them all.
_geometry = lru_cache(maxsize=None)(Geometry)


@lru_cache(maxsize=256)  # a CPU has some twenty
def _trees(
    granule: Granule,
    fake_levels: int | None,
    minimum_levels: int,
    may_have_lpa2: bool,
    cpu: Cpu | None,
) -> tuple[_Tree, ...]:
    """Return the shape of every width, with the rules of the architecture it breaks.

    Args:
        granule: The host's page size.
        fake_levels: Levels of the host's own tables, which may fake some of stage 2's;
            None for a kernel that fakes none.
        minimum_levels: Fewest levels that the kernel chooses.
        may_have_lpa2: Whether it uses LPA2 descriptors if the width needs them.
        cpu: The CPU; None for one that has LPA2 only where the width needs it.
    """
    trees = []
    for ipa_bits in WIDTHS:
        if fake_levels is None:
            levels = max(granule.stage2_levels_for(ipa_bits), minimum_levels)
            start_level = LAST_LEVEL + 1 - levels
        else:
            fake = fake_macros()(granule, ipa_bits, fake_levels)
            start_level = fake.geometry.start_level
        lpa2 = may_have_lpa2 and (cpu is not None or ipa_bits > IPA_WITHOUT_LPA2)
        trees.append(_tree(granule, ipa_bits, start_level, lpa2, cpu or ANY_CPU))
    return tuple(trees)


@lru_cache(maxsize=_MOST_PLACES)
def _tree(
    granule: Granule, ipa_bits: int, start_level: int, lpa2: bool, cpu: Cpu
) -> _Tree:
    shape = _geometry(granule, ipa_bits, start_level, lpa2)
    return shape, cpu.check(shape)


@lru_cache(maxsize=1024)
def _rows(kernel: Kernel, with_cpu: bool) -> tuple[tuple[KvmLimit, ...], ...]:
    """Return the rows that are asked, and those of them without a ceiling.

    Rows that look at no width, or only below 32 bits, are left out of the second.
    """
    asked = tuple(row for row in LIMITS if row.is_asked(kernel, with_cpu=with_cpu))
    others = tuple(
        row for row in asked if not (row.ceiling or row.of_any_width or row.from_below)
    )
    return asked, others


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
