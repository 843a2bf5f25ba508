# SPDX-License-Identifier: MIT
"""The emulators' limits: each row is needed, and excuses nobody else."""

import functools

import pytest

from emulated.availability import require
from emulated.bad_descriptors import BAD_DESCRIPTORS
from emulated.cpu import EmulatedCpu
from emulated.limits import LIMITS, STAND_INS, Limit, StandIn, limits_of, predict
from emulated.questions import SHAPES, Question, differences, questions_for


@functools.cache
def first_uses(cpu: EmulatedCpu) -> dict[str, Question]:
    """Find a question for each limit of a CPU that changes the answer to one."""
    uses: dict[str, Question] = {}
    for generate in (*BAD_DESCRIPTORS, *SHAPES):
        for question in questions_for(cpu, generate):
            _, limit = predict(cpu, question.case, question.right)
            if limit:
                uses.setdefault(limit.id, question)
    return uses


@pytest.mark.parametrize(
    "limit", LIMITS, ids=lambda limit: f"{limit.emulator}-{limit.id}"
)
def test_limit_is_needed(limit: Limit, emulated_cpus: list[EmulatedCpu]) -> None:
    """A row about an emulator that is here changes an answer, or has to go."""
    require(limit.emulator)
    same = [cpu for cpu in emulated_cpus if cpu.emulator == limit.emulator]
    here = [cpu for cpu in same if limit.concerns(cpu)]
    if not here:
        # Another version cannot be asked. That the row is about something can be seen.
        cases = (
            question.case
            for generate in (*SHAPES, *BAD_DESCRIPTORS)
            for cpu in same
            for question in questions_for(cpu, generate)
        )
        assert any(limit.applies(case) for case in cases)
        return

    cpu = next(cpu for cpu in here if limit.id in first_uses(cpu))
    question = first_uses(cpu)[limit.id]
    expected, _ = predict(cpu, question.case, question.right)

    assert question.right != expected
    assert not differences(cpu, [question])


def test_limits_of_another_version_are_no_excuse(
    emulated_cpus: list[EmulatedCpu],
) -> None:
    """A row is for its own emulator and its own versions."""
    for cpu in emulated_cpus:
        assert {cpu.emulator} == {limit.emulator for limit in limits_of(cpu)}


@pytest.mark.parametrize("row", [*LIMITS, *STAND_INS])
def test_rows_tell_where_they_are_from(row: Limit | StandIn) -> None:
    """Each says how it is known, and is for some version."""
    assert any(word in row.reason for word in ("measured", "read in its source"))
    assert row.since < row.before
