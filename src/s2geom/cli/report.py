# SPDX-License-Identifier: MIT
"""What a command has to say, once for people and once for programs.

A report holds paragraphs: a plain line, a table of names and values, or a table with a
header. Text is aligned with spaces and nothing else, so it survives a pipe and a mail.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import define, field

from s2geom.core.errors import Violation
from s2geom.core.wording import cell_text

SUPPORTED = 0
NOT_SUPPORTED = 1


@define
class Report:
    """The answer of one command.

    Args:
        data: The answer as plain JSON types.
        status: Exit code: 0 supported, 1 not supported.
        paragraphs: The answer as text.
        lines: An answer that is printed line by line instead, as it is found.
    """

    data: dict[str, Any]
    status: int = SUPPORTED
    paragraphs: list[str] = field(factory=list)
    lines: Iterator[str] | None = None

    def say(self, *lines: str) -> None:
        """Add a paragraph of lines."""
        self.paragraphs.append("\n".join(lines))

    def facts(self, facts: Mapping[str, object]) -> None:
        """Add a paragraph of names and values."""
        width = max(map(len, facts))
        self.say(*(f"{name:<{width}}  {value}" for name, value in facts.items()))

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Add a table; numbers stand right, words left."""
        self.say(*columns(header, rows))

    def refuse(self, violations: Sequence[Violation]) -> None:
        """Add the reasons for a refusal, the first one's message in the first line."""
        self.status = NOT_SUPPORTED
        self.data["supported"] = False
        self.data["violations"] = [violation.to_dict() for violation in violations]
        for violation in violations:
            self.say(
                f"not supported: {violation.message}",
                f"  limit   {violation.limited_by}: {violation.limit}, "
                f"given {violation.given}",
                f"  fix     {violation.fix}",
                f"  rule    {violation.rule}",
                f"  source  {violation.source}",
            )

    def text(self) -> str:
        """Return the answer for people."""
        return "\n\n".join(self.paragraphs)

    def json(self) -> str:
        """Return the answer for programs."""
        return json.dumps(self.data, indent=2)


def columns(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return aligned lines: a header and rows; numbers stand right, words left."""
    body = [tuple(row) for row in rows]
    cells = [tuple(header), *(tuple(map(cell_text, row)) for row in body)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    numeric = [
        all(isinstance(value, int | None) for value in column)
        for column in zip(*body, strict=True)
    ] or [False] * len(header)
    return [
        "  ".join(
            f"{cell:>{width}}" if right else f"{cell:<{width}}"
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in cells
    ]
