# SPDX-License-Identifier: MIT
"""What is refused, and by whose limit: each limit on a scale, and what would fit."""

from collections.abc import Sequence
from textwrap import wrap

from s2geom.core.errors import Violation
from s2geom.core.wording import counted
from s2geom.show.html import table
from s2geom.show.svg import MARGIN, NORMAL, SMALL, Drawing, shorten, width_of

SCALE_WIDTH = 640
"""Pixels of a scale; the lines of words below it are as wide."""

LARGEST = 256
"""Numbers up to this are widths, levels or tables, and are drawn on a scale."""

AROUND = 8
"""Steps that a scale shows beside the two numbers."""

OWNERS = {"cpu": "CPU", "smmu": "SMMU"}
"""How an owner is written where it is not as in the violation."""


def draw_violations(violations: Sequence[Violation]) -> Drawing | None:
    """Draw every limit that is broken; None where none is."""
    if not violations:
        return None
    verb = "is" if len(violations) == 1 else "are"
    pen = Drawing(f"Refused: {counted(len(violations), 'limit')} {verb} broken")
    y = 46.0
    sentences = []
    for why in violations:
        owner = (
            f"{why.rule}, a limit of the {OWNERS.get(why.limited_by, why.limited_by)}"
        )
        y = _draw_limit(pen, y, owner, why)
        sentences.append(
            f"{owner}: given {why.given}, limit {why.limit}; what would fit: {why.fix}."
        )
    pen.description = " ".join(sentences)
    return pen


def _draw_limit(pen: Drawing, y: float, owner: str, why: Violation) -> float:
    """Draw one limit and what would fit; return where the next one stands."""
    pen.words(MARGIN, y, owner, bold=True)
    if _is_number(why.given) and _is_number(why.limit):
        _draw_scale(pen, y + 34, int(why.given), int(why.limit))
    else:
        _draw_pair(pen, y + 34, why)
    y += 96
    letters = int(SCALE_WIDTH / width_of(" "))
    for line in wrap(f"What would fit: {why.fix}.", letters):
        pen.words(MARGIN, y, line)
        y += 18
    return y + 22


def draw_violation(why: Violation) -> Drawing | None:
    """Draw one limit that is broken."""
    return draw_violations((why,))


def _is_number(value: object) -> bool:
    return isinstance(value, int) and abs(value) <= LARGEST


def _draw_scale(pen: Drawing, y: float, given: int, limit: int) -> None:
    """Draw what is allowed as a bar, and what was given beyond its end."""
    low, high = min(given, limit) - AROUND, max(given, limit) + AROUND
    if min(given, limit) >= 0:
        low = max(low, 0)
    step = SCALE_WIDTH / (high + 1 - low)

    def left(value: int) -> float:
        return MARGIN + (value - low) * step

    pen.box(MARGIN, y, SCALE_WIDTH, 22)
    over = given > limit
    first, last = (low, limit) if over else (limit, high)
    pen.box(left(first), y, (last + 1 - first) * step, 22, "yes")
    missing = (limit + 1, given) if over else (given, limit - 1)
    x, wide = left(missing[0]), (missing[1] + 1 - missing[0]) * step
    pen.box(x, y, wide, 22, "table")
    pen.hatch(x, y, wide, 22)
    for value, place, label in (
        (limit, y - 5, f"limit {limit}"),
        (given, y + 36, f"given {given}"),
    ):
        half = width_of(label, SMALL) / 2
        x = max(left(value) + step / 2, MARGIN + half)
        pen.words(x, place, label, size=SMALL, anchor="middle", bold=value == given)


def _draw_pair(pen: Drawing, y: float, why: Violation) -> None:
    """Draw what was given and what is allowed as words in boxes."""
    half = SCALE_WIDTH / 2
    for x, label, value, fill in (
        (MARGIN, "given", why.given, "table"),
        (MARGIN + half, "limit", why.limit, "yes"),
    ):
        pen.box(x, y, half, 22, fill)
        text = shorten(f"{label}: {value}", half - 12, NORMAL)
        pen.words(x + 6, y + 15, text, on_box=True)


def violations_html(violations: Sequence[Violation]) -> str:
    """Return the limits that are broken as an HTML table."""
    return table(
        "Every limit",
        ("rule", "whose limit", "message", "what to change", "source"),
        (
            (why.rule, why.limited_by, why.message, why.fix, why.source)
            for why in violations
        ),
        empty="No limit is broken.",
    )


def violation_html(why: Violation) -> str:
    """Return one limit that is broken as an HTML table."""
    return violations_html((why,))
