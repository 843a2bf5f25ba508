# SPDX-License-Identifier: MIT
"""What a policy chooses, and which of the architecture's rules that breaks."""

from s2geom.compare.policies import PolicyChoice
from s2geom.compare.shape_facts import heading
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
    broken = table(
        "What is against it",
        ("rule", "whose limit", "message", "what to change"),
        ((why.rule, why.limited_by, why.message, why.fix) for why in choice.violations),
    )
    return f"{made}\n{broken}"
