# SPDX-License-Identifier: MIT
"""Every kind of bad descriptor: which fault, at which level, and which comes first.

Held against the architecture's answer are the library's walk, without exception, and
the emulated CPUs, but for their limits. AT cannot ask for an instruction fetch: what XN
does to `walk(access="execute")` is not shown here.
"""

import pytest

from emulated.bad_descriptors import BAD_DESCRIPTORS, order
from emulated.cpu import EmulatedCpu, Faulted
from emulated.library import LibraryCpu
from emulated.questions import Questions, differences, questions_for


@pytest.mark.parametrize("generate", BAD_DESCRIPTORS, ids=lambda f: f.__name__)
def test_emulator(cpu: EmulatedCpu, generate: Questions) -> None:
    """The emulator says what the architecture says, or what a limit foretells."""
    wrong = differences(cpu, questions_for(cpu, generate))

    assert not wrong, f"{len(wrong)} answers are not as foretold"


@pytest.mark.parametrize("generate", BAD_DESCRIPTORS, ids=lambda f: f.__name__)
def test_library(cpu: EmulatedCpu, generate: Questions) -> None:
    """The library says what the architecture says."""
    questions = questions_for(cpu, generate)
    answers = LibraryCpu(cpu).run(question.probe for question in questions)

    wrong = [
        (question.what, question.case, answer)
        for question, answer in zip(questions, answers, strict=True)
        if question.right != answer
    ]

    assert questions
    assert not wrong, f"{len(wrong)} of {len(questions)} answers are wrong"


def test_every_order_is_asked(cpu: EmulatedCpu) -> None:
    """Each two faults of a leaf happen at once, and decide in this order."""
    before = {
        (first, second)
        for question in questions_for(cpu, order)
        for place, (first, _) in enumerate(question.case.wrong)
        for second, _ in question.case.wrong[place + 1 :]
        if question.right == question.case.wrong[0][1]
    }
    # On a CPU of 40 bits every level that it has above the last may have blocks.
    block = ["block"] if cpu.pa_bits > 40 else []
    names = [*block, "output size", "access flag", "permission"]

    assert before == {
        (first, second)
        for place, first in enumerate(names)
        for second in names[place + 1 :]
    }


def test_every_level_of_a_fault(cpu: EmulatedCpu) -> None:
    """Each kind of fault was the right answer at each level at which it can happen."""
    seen = {
        (question.right.kind, question.right.level)
        for generate in BAD_DESCRIPTORS
        for question in questions_for(cpu, generate)
        if isinstance(question.right, Faulted) and question.right.stage == 2
    }
    start_levels = {question.case.start_level for question in questions_for(cpu, order)}
    levels = range(min(start_levels), 4)

    assert seen >= {("translation", level) for level in levels}
    assert seen >= {("external abort", level) for level in levels}
    # Leaves, and the root, which faults at level 0 by definition.
    assert seen >= {("access flag", level) for level in (1, 2, 3)}
    assert seen >= {("permission", level) for level in (1, 2, 3)}
    assert seen >= {("address size", level) for level in (0, 1, 2, 3)}
    assert all(
        level >= 0 for kind, level in seen if kind in {"access flag", "permission"}
    )
