# SPDX-License-Identifier: MIT
"""The answer of a command, for people and for programs.

A report has paragraphs (lines, names and values, a table) and the same answer as plain
data. What may be larger than memory is an iterator in both, and is written as it comes.
Text is aligned with spaces alone, so it survives a pipe and a mail.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain, islice
from typing import Any

from attrs import define, field

from s2geom.cli.channels import escaped, write, write_bytes
from s2geom.core.errors import S2GeomError, Violation
from s2geom.core.wording import cell_text

SUPPORTED = 0
NOT_SUPPORTED = 1

FIRST_ROWS = 1000
"""Rows of a table that are held to find how wide its columns are."""


@define
class Report:
    """The answer of one command.

    Args:
        data: The answer as plain JSON types. One value at its end may be an iterator.
        premises: What the answer takes for granted.
        status: Exit code: 0 supported, 1 not supported.
        paragraphs: The answer as text, each paragraph as its lines.
        lines: Lines that are written instead of the paragraphs: CSV.
        image: Bytes that are written instead of all text.
        resources: What is closed when the answer is written, such as a file.
    """

    data: dict[str, Any] = field(factory=dict)
    premises: list[str] = field(factory=list)
    status: int = SUPPORTED
    paragraphs: list[Iterable[str]] = field(factory=list)
    lines: Iterable[str] | None = None
    image: bytes | bytearray | None = None
    resources: ExitStack = field(factory=ExitStack)

    def say(self, *lines: str) -> None:
        """Add a paragraph of lines; without a line there is none."""
        if lines:
            self.paragraphs.append(lines)

    def facts(self, facts: Mapping[str, object]) -> None:
        """Add a paragraph of names and values."""
        width = max(map(len, facts))
        self.say(*(f"{name:<{width}}  {value}" for name, value in facts.items()))

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Add a table; numbers stand right, words left."""
        self.paragraphs.append(columns(header, rows))

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

    def write(self, *, as_json: bool) -> None:
        """Write the answer to standard output.

        Raises:
            OutputLost: It takes no more.
            S2GeomError: An iterator of the answer raised it; what came before it is
                written.
        """
        with self.resources:
            if self.image is not None:
                write_bytes(self.image)
            elif as_json:
                write(self.json_lines())
            else:
                write(self.text_lines() if self.lines is None else self.lines)

    def text_lines(self) -> Iterator[str]:
        """Yield the answer for people; the premises stand last."""
        paragraphs = self.paragraphs
        if self.premises:
            paragraphs = [
                *paragraphs,
                [f"premise: {premise}" for premise in self.premises],
            ]
        for at, paragraph in enumerate(paragraphs):
            if at:
                yield ""
            yield from paragraph

    def json_lines(self) -> Iterator[str]:
        """Yield the answer for programs.

        Where an iterator fails half-way, the text still is JSON, and ends in "error".
        """
        data = self.data | {"premises": self.premises}
        streams = [name for name, value in data.items() if isinstance(value, Iterator)]
        if not streams:
            yield from json.dumps(data, indent=2).splitlines()
            return
        [name] = streams
        items = data.pop(name)
        first = list(islice(items, FIRST_ROWS))  # an error among these leaves no text
        *head, _ = json.dumps(data, indent=2).splitlines()
        yield from head[:-1]
        yield f"{head[-1]},"
        yield f'  "{name}": ['
        before, failure = None, None
        try:
            for item in chain(first, items):
                if before is not None:
                    yield f"    {before},"
                before = json.dumps(item)
        except S2GeomError as error:
            failure = error
        if before is not None:
            yield f"    {before}"
        if failure is None:
            yield from ("  ]", "}")
        else:
            yield from ("  ],", f'  "error": {json.dumps(str(failure))}', "}")
            raise failure


class NoTables(Exception):
    """There is no shape, so there are no tables to look into.

    Args:
        report: The report that ends there, with the reasons.
    """

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self.report = report


def columns(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield aligned lines: a header and rows; numbers stand right, words left.

    The first thousand rows say how wide a column is; a later cell that is wider moves
    the rest of the table from there on.
    """
    rows = iter(rows)
    widths, numeric = [0] * len(header), [False] * len(header)
    lines: list[Sequence[object]] = [tuple(header)]
    body = list(islice(rows, FIRST_ROWS))
    if body:
        numeric = [
            all(isinstance(value, int | None) for value in column)
            for column in zip(*body, strict=True)
        ]
    while body or lines:
        cells = [
            tuple(escaped(cell_text(cell)) for cell in row) for row in (*lines, *body)
        ]
        widths = [
            max(width, *map(len, column))
            for width, column in zip(widths, zip(*cells, strict=True), strict=True)
        ]
        for row in cells:
            yield "  ".join(
                f"{cell:>{width}}" if right else f"{cell:<{width}}"
                for cell, width, right in zip(row, widths, numeric, strict=True)
            ).rstrip()
        lines, body = [], list(islice(rows, FIRST_ROWS))
