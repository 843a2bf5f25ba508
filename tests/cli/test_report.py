# SPDX-License-Identifier: MIT
"""An answer as text and as JSON, also where it does not fit into memory."""

import json
from collections.abc import Iterator

import pytest

from s2geom import UnreadableInput
from s2geom.cli.report import Report, table_lines


def numbers(count: int, *, fails: bool = False) -> Iterator[int]:
    """Yield numbers, and perhaps an error."""
    yield from range(count)
    if fails:
        raise UnreadableInput("torn")


@pytest.mark.parametrize("count", [0, 1, 2, 2500])
def test_a_stream_is_json(count: int) -> None:
    """However long it is."""
    report = Report({"supported": True, "numbers": numbers(count)}, ["a premise"])

    assert {
        "supported": True,
        "premises": ["a premise"],
        "numbers": list(range(count)),
    } == json.loads("\n".join(report.json_lines()))


@pytest.mark.parametrize("count", [1, 999, 1000, 2500])
def test_a_stream_that_fails_is_json_or_nothing(count: int) -> None:
    """Where something is written already, it ends in the error."""
    lines: list[str] = []
    report = Report({"numbers": numbers(count, fails=True)})
    with pytest.raises(UnreadableInput):
        lines.extend(report.json_lines())

    if count < 1000:
        assert [] == lines
    else:
        data = json.loads("\n".join(lines))
        assert ("torn", list(range(count))) == (data["error"], data["numbers"])


def test_a_long_table_is_aligned_by_its_first_rows() -> None:
    """A wider cell comes later, and moves what follows it."""
    lines = list(table_lines(("n", "m"), ((n, 10**n % 7) for n in range(1500))))

    assert ["  n  m", "  0  1"] == lines[:2]
    assert "1499  5" == lines[-1]
    assert ["a  b"] == list(table_lines(("a", "b"), ()))


def test_a_paragraph_without_a_line_is_none() -> None:
    """Two blank lines would look like one that is missing."""
    report = Report()
    report.say("one")
    report.say()
    report.say("two", "three")

    assert ["one", "", "two", "three"] == list(report.text_lines())
