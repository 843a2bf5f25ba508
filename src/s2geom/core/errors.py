# SPDX-License-Identifier: MIT
"""What went wrong: violations as data, and the exceptions that carry them.

A *violation* is a fact about machines: a limit, whose limit it is, how far over the
request is and what would fit. It is a value, never an exception by itself. An
*exception* is raised where a caller asked for something that cannot be given; all of
ours are `ValueError`s, so code that knows nothing of this package can still catch
them. A wrong *type* stays Python's own `TypeError`.

This is the bottom of the house: nothing of ours is imported here but the marker of
public names.
"""

from collections.abc import Callable, Sequence

from attrs import field, frozen

from s2geom.core.public import public

Text = str | Callable[[], str]
"""A sentence, or how to make it: most violations are counted and never read."""


def _read(text: Text) -> str:
    return text if isinstance(text, str) else text()


@public
@frozen(repr=False)
class Violation:
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
    """

    rule: str
    _message: Text = field(alias="message", eq=_read)
    limited_by: str
    given: int | str
    limit: int | str
    _fix: Text = field(alias="fix", eq=_read)
    source: str

    @property
    def message(self) -> str:
        """Which limit, whose limit, how far over, and what would fit."""
        return _read(self._message)

    @property
    def summary(self) -> str:
        """The message without the range of kernels at its end."""
        return self.message.partition(" (Linux ")[0]

    @property
    def fix(self) -> str:
        """What to change, in the imperative."""
        return _read(self._fix)

    def to_dict(self) -> dict[str, int | str]:
        """Return plain JSON types, keyed by the names of the arguments."""
        return {
            "rule": self.rule,
            "message": self.message,
            "limited_by": self.limited_by,
            "given": self.given,
            "limit": self.limit,
            "fix": self.fix,
            "source": self.source,
        }

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        inside = ", ".join(
            f"{name}={value!r}" for name, value in self.to_dict().items()
        )
        return f"Violation({inside})"

    def __reduce__(self) -> tuple[type["Violation"], tuple[int | str, ...]]:
        # Stored by its words: how a sentence would have been made cannot be pickled.
        return Violation, tuple(self.to_dict().values())


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
    """

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__(tuple(violations))

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Every limit that is broken."""
        broken: tuple[Violation, ...] = self.args[0]
        return broken

    def __str__(self) -> str:
        return "\nalso: ".join(violation.summary for violation in self.violations)


@public
class UnreadableInput(S2GeomError):
    """Text or bytes to be read are damaged, foreign or contradictory."""


@public
class MemoryReadError(UnreadableInput):
    """The caller's memory has nothing at an address that a table walk needs."""
