# SPDX-License-Identifier: MIT
"""Shapes beside each other: every legal one for a width, or what a policy chooses."""

from collections.abc import Sequence
from operator import attrgetter

from s2geom.compare.policies import PolicyChoice
from s2geom.compare.shape_facts import heading
from s2geom.core.geometry import Geometry
from s2geom.core.granule import LAST_LEVEL
from s2geom.core.units import size_text
from s2geom.core.wording import counted
from s2geom.show.html import table
from s2geom.show.refusal import draw_violations, violations_html
from s2geom.show.svg import MARGIN, SMALL, Drawing

COLUMN = 116
"""Pixels from the tables of one level to those of the next."""

LEVEL_WIDTH = 96
"""Pixels of the tables of a level."""

SUMMARY_VALUES = attrgetter(
    "start_level", "concatenation", "pgd_size", "pgd_alignment", "levels"
)
"""What a row of the table of shapes has."""

MOST_TABLES = 16
"""As many tables as the architecture puts side by side are drawn one by one."""


def draw_choices(choices: Sequence[Geometry]) -> Drawing | None:
    """Draw the tables of each shape in a line of its own; None where there is none."""
    if not choices:
        return None
    first = choices[0]
    pen = Drawing(
        f"{first.granule} pages, {first.ipa_bits}-bit IPA: "
        f"{counted(len(choices), 'legal shape')}"
    )
    top = min(shape.start_level for shape in choices)
    for level in range(top, LAST_LEVEL + 1):
        x = MARGIN + (level - top) * COLUMN
        pen.words(x, 58, f"level {level}", size=SMALL, ink="muted")
    for at, shape in enumerate(choices):
        x, y = MARGIN + (shape.start_level - top) * COLUMN, 70 + at * 62
        _draw_tables(pen, x, y, shape)
        pen.words(MARGIN, y + 42, _summary(shape))
    pen.description = " ".join(f"{_summary(shape)}." for shape in choices)
    return pen


def _draw_tables(pen: Drawing, x: float, y: float, shape: Geometry) -> None:
    """Draw the tables of the root side by side, and one of each level below."""
    tables = min(shape.concatenation, MOST_TABLES)
    wide = LEVEL_WIDTH / tables
    for at in range(tables):
        pen.box(x + at * wide, y, wide, 24, f"level{shape.start_level}")
    for level in range(shape.start_level + 1, LAST_LEVEL + 1):
        x += COLUMN
        pen.box(x, y, LEVEL_WIDTH, 24, f"level{level}")
        pen.arrow(x - COLUMN + LEVEL_WIDTH, y + 12, x, y + 12)


def _summary(shape: Geometry) -> str:
    lpa2 = ", LPA2" if shape.lpa2 else ""
    return (
        f"start level {shape.start_level}, root of "
        f"{counted(shape.concatenation, 'table')}, {size_text(shape.pgd_size)}, "
        f"{counted(shape.levels, 'lookup')}{lpa2}"
    )


def choices_html(choices: Sequence[Geometry]) -> str:
    """Return the legal shapes of a width as an HTML table, one row each."""
    return table(
        "Legal shapes",
        ("start level", "tables", "PGD bytes", "PGD alignment", "lookups"),
        map(SUMMARY_VALUES, choices),
        empty="No shape is legal.",
    )


def draw_choice(choice: PolicyChoice) -> Drawing | None:
    """Draw the rules that a policy's choice breaks, where there are some."""
    return draw_violations(choice.violations)


def choice_html(choice: PolicyChoice) -> str:
    """Return a policy's choice, and each rule that it breaks, as HTML tables."""
    shape = choice.geometry
    made = table(
        f"What {choice.policy} chooses",
        ("question", "answer"),
        (
            ("shape", None if shape is None else heading(shape)),
            ("legal on the CPU", choice.legal),
        ),
    )
    if not choice.violations:
        return made
    return f"{made}\n{violations_html(choice.violations)}"
