# SPDX-License-Identifier: MIT
"""Every (granule, IPA size, start level), legal and not, against the emulated CPUs.

What is expected of an emulator is the architecture's answer, changed by those rows of
`limits` that say so. Therefore a passing run shows that the rule is right, that every
difference has its row, and (in test_limits.py) that every row is needed.
"""

import pytest

from emulated.cpu import EmulatedCpu
from emulated.questions import SHAPES, WINDOW, Questions, differences, questions_for


@pytest.mark.parametrize("generate", SHAPES, ids=lambda f: f.__name__)
def test_answers(cpu: EmulatedCpu, generate: Questions) -> None:
    """The emulator says what the architecture says, or what a limit foretells."""
    wrong = differences(cpu, questions_for(cpu, generate))

    assert not wrong, f"{len(wrong)} answers are not as foretold"


def test_window_itself() -> None:
    """The table of what is legal: no gaps in IPA size, at most sixteen root tables."""
    for (granule, start_level), (low, one_table, high) in WINDOW.items():
        assert low <= one_table <= high <= one_table + 4, (granule, start_level)
        deeper = WINDOW.get((granule, start_level + 1))
        assert deeper is None or low == deeper[1] + 1
