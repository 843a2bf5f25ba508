# SPDX-License-Identifier: MIT
"""`Violation`, a broken limit as data, and the exceptions of the package.

A violation is a fact about machines: a limit, whose limit it is, how far over the
request is and what would fit. It is a value, not an exception. An exception is raised
where a caller asked for something that cannot be given. All of ours are `ValueError`s,
so code that does not know this package can catch them. A wrong type is Python's own
`TypeError`.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Literal

from attrs import field, frozen

from s2geom.core.display import Displayed, PrintedAsRepr
from s2geom.core.public import public
from s2geom.core.wording import bits

LimitedBy = Literal["host kernel", "cpu", "architecture", "smmu"]
"""Whose limit it is."""

Ways = tuple[tuple[str, Hashable], ...]
"""Changes of a question: the name of an argument, and its new value."""

Text = str | Callable[[], str]
"""A sentence, or how to make it: most violations are counted and never read."""


def _text(text: Text) -> str:
    return text if isinstance(text, str) else text()


def _pairs(ways: Ways | Callable[[], Ways]) -> Ways:
    return ways if isinstance(ways, tuple) else ways()


@public
@frozen(repr=False)
class Violation(Displayed, PrintedAsRepr):
    """One limit that a request breaks.

    Args:
        rule: Stable id of the rule, such as ``"levels-exceed-host"``.
        message: Which limit, whose, how far over, and what would fit. It ends with
            the kernels that have the limit, in parentheses, if it comes and goes.
        limited_by: ``"host kernel"``, ``"cpu"``, ``"architecture"``, or ``"smmu"``
            for what a stream table entry asks of its SMMU.
        given: What was asked for, in the limit's unit.
        limit: What would have been accepted, in the same unit.
        fix: What to change, in the imperative.
        source: Where the limit is written down: an architecture section or
            pseudocode function, or a kernel release and commit subject.
        ways: The changes of ``fix`` as pairs: the name of an argument of the question
            (``"ipa_bits"``, ``"va_bits"``, ``"page_shift"``, ``"release"`` or
            ``"cpu"``) and a value of it. Each alone removes this violation and adds
            none. A release takes the place of a scheme. Empty where the rule gives
            its fix in words alone.

            .. versionadded:: 0.2.0
    """

    rule: str
    _message: Text = field(alias="message", eq=_text)
    limited_by: LimitedBy
    given: int | str
    limit: int | str
    _fix: Text = field(alias="fix", eq=_text)
    source: str
    _ways: Ways | Callable[[], Ways] = field(default=(), alias="ways", eq=_pairs)

    @property
    def message(self) -> str:
        """Which limit, whose limit, how far over, and what would fit."""
        return _text(self._message)

    @property
    def summary(self) -> str:
        """The message without the range of kernels at its end."""
        return self.message.partition(" (Linux ")[0]

    @property
    def fix(self) -> str:
        """What to change, in the imperative."""
        return _text(self._fix)

    @property
    def ways(self) -> Ways:
        """The changes of `fix` as pairs of an argument's name and its new value.

        .. versionadded:: 0.2.0
        """
        return _pairs(self._ways)

    def to_dict(self) -> dict[str, int | str | list[list[int | str]]]:
        """Return plain JSON types, keyed by the names of the arguments.

        ``ways`` is there where there are any: lists of a name and a value, a CPU as
        its ``repr``.
        """
        ways = [
            [what, value if isinstance(value, int | str) else repr(value)]
            for what, value in self.ways
        ]
        return {
            "rule": self.rule,
            "message": self.message,
            "limited_by": self.limited_by,
            "given": self.given,
            "limit": self.limit,
            "fix": self.fix,
            "source": self.source,
        } | ({"ways": ways} if ways else {})

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        parts = self.to_dict() | ({"ways": self.ways} if self.ways else {})
        inside = ", ".join(f"{name}={value!r}" for name, value in parts.items())
        return f"Violation({inside})"

    def __reduce__(self) -> tuple[type["Violation"], tuple[int | str | Ways, ...]]:
        # Stored as text and values, since a function cannot be pickled.
        parts = self.rule, self.message, self.limited_by, self.given, self.limit
        return Violation, (*parts, self.fix, self.source, self.ways)


@public
class Violations(tuple[Violation, ...], Displayed):
    """Every limit that a request breaks: a tuple of `Violation`, empty if none is.

    It is a tuple in everything but what a notebook draws of it.

    .. versionadded:: 0.2.0
    """

    __slots__ = ()


@public
class S2GeomError(ValueError):
    """The root of every exception of this package."""


@public
class InvalidArgument(S2GeomError):
    """The call makes no sense on any machine: ``page_shift=13``, a negative width."""


@public
class UnsupportedCombination(S2GeomError):
    """A machine, a kernel or the architecture refuses what was asked for.

    Args:
        violations: Every limit that is broken, not only the first; at least one.
        widest_ipa_bits: The widest IPA in bits that passes every limit, with all other
            arguments as they are. None where no width does, or where the width is not
            the question.

            .. versionadded:: 0.2.0
    """

    def __init__(
        self, violations: Sequence[Violation], widest_ipa_bits: int | None = None
    ) -> None:
        # The arguments of an exception are what pickle and repr give back.
        if not isinstance(violations, Violations):
            violations = Violations(violations)
        if widest_ipa_bits is None:
            super().__init__(violations)
        else:
            super().__init__(violations, widest_ipa_bits)

    @property
    def violations(self) -> Violations:
        """Every limit that is broken."""
        broken: Violations = self.args[0]
        return broken

    @property
    def widest_ipa_bits(self) -> int | None:
        """The widest IPA in bits that passes every limit, or None.

        .. versionadded:: 0.2.0
        """
        return self.args[1] if len(self.args) > 1 else None

    def __str__(self) -> str:
        text = "\nalso: ".join(violation.summary for violation in self.violations)
        widest = self.widest_ipa_bits
        if widest is None or text.endswith(
            f" the largest IPA it supports is {bits(widest)}"
        ):
            return text
        return f"{text}\nthe widest IPA that passes every limit has {bits(widest)}"


@public
class UnreadableInput(S2GeomError):
    """Text or bytes to be read are damaged, foreign or contradictory."""


@public
class MemoryReadError(UnreadableInput):
    """The caller's memory has nothing at an address that a table walk needs."""
