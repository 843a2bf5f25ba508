# SPDX-License-Identifier: MIT
"""What a policy chooses, and which of the architecture's rules that breaks."""

from collections.abc import Sequence

from s2geom.compare.policies import PolicyChoice
from s2geom.compare.shape_facts import heading
from s2geom.core.errors import Violation
from s2geom.core.geometry import Geometry
from s2geom.show.html import table


def choice_html(choice: PolicyChoice) -> str:
    """Return a choice, and each rule that it breaks, as HTML tables."""
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


def violations_html(violations: Sequence[Violation]) -> str:
    """Return the limits that are broken as an HTML table."""
    return table(
        "What is against it" if violations else "No limit is broken",
        ("rule", "whose limit", "message", "what to change"),
        ((why.rule, why.limited_by, why.message, why.fix) for why in violations),
    )


def choices_html(choices: Sequence[Geometry]) -> str:
    """Return the legal shapes of a width as an HTML table, one row each."""
    return table(
        "Legal shapes" if choices else "No legal shape",
        ("start level", "tables", "PGD bytes", "shape"),
        (
            (shape.start_level, shape.concatenation, shape.pgd_size, heading(shape))
            for shape in choices
        ),
    )
