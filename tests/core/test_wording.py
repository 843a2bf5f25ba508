# SPDX-License-Identifier: MIT
"""Words of messages and tables, and a notebook without the drawing code."""

import pytest

from s2geom import Geometry
from s2geom.core import display
from s2geom.core.wording import cell_text, counted, ranges


@pytest.mark.parametrize(
    ("expected", "numbers"),
    [
        ("none", []),
        ("40", [40]),
        ("32 to 40", range(32, 41)),
        ("32 to 40, 48", [*range(32, 41), 48]),
        ("1, 3, 5 to 6", [1, 3, 5, 6]),
    ],
)
def test_runs_of_numbers(expected: str, numbers: list[int]) -> None:
    """Neighbouring numbers are one run, and no number is written as "none"."""
    assert expected == ranges(numbers)


@pytest.mark.parametrize(
    ("expected", "value"),
    [("-", None), ("yes", True), ("no", False), ("0", 0), ("4K", "4K")],
)
def test_the_cell_of_a_table(expected: str, value: object) -> None:
    """A bool is an answer, and None is a dash; 0 is a number."""
    assert expected == cell_text(value)


@pytest.mark.parametrize(
    ("expected", "number"), [("0 tables", 0), ("1 table", 1), ("16 tables", 16)]
)
def test_a_number_of_things(expected: str, number: int) -> None:
    """One thing is written without a plural s."""
    assert expected == counted(number, "table")


def test_a_room_alone_shows_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing draws where the package's front door has not handed a function down."""
    monkeypatch.setattr(display, "_drawer", None)
    shape = Geometry(12, 40, 1)

    assert {"text/plain": repr(shape)} == shape._repr_mimebundle_()
