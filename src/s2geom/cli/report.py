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
        data: The answer as plain JSON types; "supported" is the exit code, too. One
            value may be an iterator.
        premises: What the answer takes for granted.
        paragraphs: The answer as text, each paragraph as its lines.
        lines: Lines that are written instead of the paragraphs: CSV.
        image: Bytes that are written instead of all text.
        resources: What is closed when the answer is written, such as a file.
    """

    data: dict[str, Any] = field(factory=dict)
    premises: list[str] = field(factory=list)
    paragraphs: list[Iterable[str]] = field(factory=list)
    lines: Iterable[str] | None = None
    image: bytes | bytearray | None = None
    resources: ExitStack = field(factory=ExitStack)

    @property
    def status(self) -> int:
        """Exit code: 0 supported, 1 not supported."""
        return SUPPORTED if self.data.get("supported", True) else NOT_SUPPORTED

    def say(self, *lines: str) -> None:
        """Add a paragraph of lines; without a line there is none."""
        self.paragraphs.append(lines)

    def facts(self, facts: Mapping[str, object]) -> None:
        """Add a paragraph of names and values."""
        width = max(map(len, facts))
        self.say(*(f"{name:<{width}}  {value}" for name, value in facts.items()))

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Add a table; numbers stand right, words left."""
        self.paragraphs.append(table_lines(header, rows))

    def refuse(self, violations: Sequence[Violation]) -> None:
        """Add the reasons for a refusal; without one there is no refusal."""
        if not violations:
            return
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
        premises = [f"premise: {premise}" for premise in self.premises]
        gap: list[str] = []  # a blank line, but not before the first paragraph
        for paragraph in filter(None, (*self.paragraphs, premises)):
            yield from chain(gap, paragraph)
            gap = [""]

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
        failures: list[S2GeomError] = []
        items = _until_failure(chain(first, items), failures)
        yield from head[:-1]
        yield f"{head[-1]},"
        yield f'  "{name}": ['
        yield from _with_commas(f"    {json.dumps(item)}" for item in items)
        if not failures:
            yield from ("  ]", "}")
            return
        yield from ("  ],", f'  "error": {json.dumps(str(failures[0]))}', "}")
        raise failures[0]


def _until_failure(items: Iterator[Any], failures: list[S2GeomError]) -> Iterator[Any]:
    """Yield items, and put an error that ends them into a list."""
    try:
        yield from items
    except S2GeomError as error:
        failures.append(error)


def _with_commas(lines: Iterator[str]) -> Iterator[str]:
    """Yield lines with a comma behind each but the last."""
    before = next(lines, None)
    for line in lines:
        yield f"{before},"
        before = line
    if before is not None:
        yield before


class Refused(Exception):
    """The question has no shape, so the command has nothing to go on with.

    Args:
        report: The report that ends there, with the reasons.
    """

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self.report = report


def picked(thing: object, *names: str) -> dict[str, Any]:
    """Return some attributes of a value by name, as the JSON has them."""
    return {name: getattr(thing, name) for name in names}


def address_span(first: int, size: int) -> tuple[str, str]:
    """Return the cells of the first and the last address of a range."""
    return f"{first:#x}", f"{first + size - 1:#x}"


def table_lines(
    header: Sequence[str], rows: Iterable[Sequence[object]]
) -> Iterator[str]:
    """Yield aligned lines: a header and rows; numbers stand right, words left.

    The first thousand rows say how wide a column is; a later cell that is wider moves
    the rest of the table from there on.
    """
    rows = iter(rows)
    body = list(islice(rows, FIRST_ROWS))
    sides = [*map(_side, zip(*body, strict=True))] or ["<"] * len(header)
    widths = [0] * len(header)
    block = [header, *body]
    while block:
        cells = [*map(_shown, block)]
        for at, column in enumerate(zip(*cells, strict=True)):
            widths[at] = max(widths[at], *map(len, column))
        line = "  ".join(map("{{:{}{}}}".format, sides, widths))
        for row in cells:
            yield line.format(*row).rstrip()
        block = list(islice(rows, FIRST_ROWS))


def _shown(row: Sequence[object]) -> list[str]:
    return [escaped(cell_text(cell)) for cell in row]


def _side(column: Sequence[object]) -> str:
    return ">" if all(isinstance(cell, int | None) for cell in column) else "<"
