# SPDX-License-Identifier: MIT
"""`Rule`: one limit as a row of data.

A table of rules answers questions, explains itself and becomes a table of the
documentation. A new limit is a new row, never a new branch. Each table is in the module
that knows the limits, beside what its rows ask about.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Generic, TypeVar

from attrs import frozen

from s2geom.core.errors import LimitedBy, Violation, Violations

Case = TypeVar("Case")


@frozen(eq=False, repr=False)  # compared by identity: each method costs import time
class Rule(Generic[Case]):
    """One limit on a case.

    Args:
        id: Stable name, part of the public interface.
        states: The rule as one sentence, for the documentation.
        limited_by: Whose limit it is.
        breaks: Whether a case breaks it.
        given: What the case asks for.
        limit: What it may ask for.
        says: The sentence for a case that breaks it.
        fix: What to change then.
        source: Where it is written down.
    """

    id: str
    states: str
    limited_by: LimitedBy
    breaks: Callable[[Case], bool]
    given: Callable[[Case], int | str]
    limit: Callable[[Case], int | str]
    says: Callable[[Case], str]
    fix: Callable[[Case], str]
    source: str


NONE_BROKEN = Violations()


def ways_out(*ways: str) -> str:
    """Return remedies as one sentence; an empty one is left out."""
    return ", or ".join(filter(None, ways))


def violations_of(rules: Iterable[Rule[Case]], case: Case) -> Violations:
    """Return a violation for each rule that a case breaks, in the rules' order."""
    broken = [rule for rule in rules if rule.breaks(case)]
    if not broken:  # by far the most common answer
        return NONE_BROKEN
    return Violations(
        Violation(
            rule=rule.id,
            message=partial(rule.says, case),
            limited_by=rule.limited_by,
            given=rule.given(case),
            limit=rule.limit(case),
            fix=partial(rule.fix, case),
            source=rule.source,
        )
        for rule in broken
    )
