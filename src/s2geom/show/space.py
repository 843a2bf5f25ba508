# SPDX-License-Identifier: MIT
"""Which parts of the IPA space are mapped: a map, and a table by leaf level.

It is drawn for `Columns` and for a `TableBuilder`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from s2geom.build.builder import TableBuilder
from s2geom.compare.shape_facts import heading
from s2geom.core.units import size_text
from s2geom.core.wording import counted
from s2geom.show.html import table
from s2geom.show.svg import MARGIN, SMALL, Drawing
from s2geom.tables.columns import Columns
from s2geom.tables.memory import Memory
from s2geom.tables.scan import scan

Run = tuple[int, int, int]
"""First IPA, bytes and level of a mapping."""

CELLS = 64
"""Cells of a line of the map."""

MOST_LINES = 16

MOST_NAMED = 20
"""As many ranges are in the description; of the rest, how many they are."""

CELL_WIDTH = 9

LABEL_WIDTH = 118


def draw_space(runs: Iterable[tuple[int, int]]) -> Drawing:
    """Draw mapped ranges, given by first IPA and bytes and sorted, as a map.

    A cell of the map is as many bytes as it takes to show all that is mapped in
    `MOST_LINES` lines; lines in which nothing is mapped are left out.
    """
    stretches = _joined(runs)
    mapped = sum(size for _, size in stretches)
    pen = Drawing(f"{size_text(mapped)} mapped in {counted(len(stretches), 'range')}")
    if not stretches:
        pen.words(MARGIN, 56, "nothing is mapped")
        pen.description = "Nothing is mapped."
        return pen
    cell = 1 << 12
    while len(_lines(stretches, cell)) > MOST_LINES:
        cell *= 2
    bottom = _draw_lines(pen, _lines(stretches, cell), _coverage(stretches, cell), cell)
    _legend(pen, bottom + 14, cell)
    named = [f"{at:#x} to {at + size - 1:#x}" for at, size in stretches[:MOST_NAMED]]
    more = len(stretches) - len(named)
    rest = f" and {more} more" if more else ""
    pen.description = f"Mapped: {', '.join(named)}{rest}."
    return pen


def _draw_lines(
    pen: Drawing, lines: Sequence[int], covered: Mapping[int, int], cell: int
) -> float:
    """Draw lines of the map, an ellipsis between those apart; return where they end."""
    y = 48.0
    for before, line in zip([lines[0] - 1, *lines], lines, strict=False):
        if line != before + 1:
            pen.words(MARGIN, y + 12, "\u2026", ink="muted")
            y += 20
        pen.words(MARGIN, y + 14, f"{line * CELLS * cell:#x}", size=SMALL)
        for at in range(CELLS):
            share = covered.get(line * CELLS + at, 0) / cell
            x = MARGIN + LABEL_WIDTH + at * CELL_WIDTH
            _draw_share(pen, x, y, CELL_WIDTH, 18, share)
        y += 20
    return y


def _joined(runs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges with those that touch joined."""
    stretches: list[list[int]] = []
    for start, size in runs:
        if stretches and stretches[-1][1] == start:
            stretches[-1][1] = start + size
        else:
            stretches.append([start, start + size])
    return [(start, end - start) for start, end in stretches]


def _lines(stretches: Sequence[tuple[int, int]], cell: int) -> list[int]:
    """Return the lines of the map in which something is, at most one too many."""
    found: list[int] = []
    line = cell * CELLS
    for start, size in stretches:
        first, last = start // line, (start + size - 1) // line
        if found and first == found[-1]:
            first += 1
        found += range(first, min(last, first + MOST_LINES) + 1)
        if len(found) > MOST_LINES:
            break
    return found


def _coverage(stretches: Sequence[tuple[int, int]], cell: int) -> Counter[int]:
    """Return how many bytes of each cell are mapped."""
    covered: Counter[int] = Counter()
    for start, size in stretches:
        for number in range(start // cell, (start + size - 1) // cell + 1):
            first, last = number * cell, (number + 1) * cell
            covered[number] += min(last, start + size) - max(first, start)
    return covered


def _draw_share(
    pen: Drawing, x: float, y: float, wide: float, high: float, share: float
) -> None:
    """Draw a cell: full of a bar, hatched or blank."""
    pen.box(x, y, wide, high, "table" if 0 < share < 1 else "blank")
    if share == 1:
        pen.box(x + 1, y + 1, wide - 2, high - 2, "bar", stroke=None)
    elif share:
        pen.hatch(x, y, wide, high)


def _legend(pen: Drawing, y: float, cell: int) -> None:
    x = MARGIN
    for share, words in ((1.0, "all of it"), (0.5, "a part"), (0.0, "nothing")):
        _draw_share(pen, x, y, 14, 14, share)
        pen.words(x + 20, y + 12, words)
        x += 13 * CELL_WIDTH
    pen.words(x, y + 12, f"mapped of the {size_text(cell)} of a cell")


def space_html(runs: Iterable[Run]) -> str:
    """Return how much is mapped at each level as an HTML table."""
    count: Counter[int] = Counter()
    mapped: Counter[int] = Counter()
    for _, size, level in runs:
        count[level] += 1
        mapped[level] += size
    return table(
        "Mappings by level of their leaves",
        ("level", "mappings", "mapped"),
        ((level, count[level], size_text(mapped[level])) for level in sorted(count)),
        empty="Nothing is mapped.",
    )


def draw_columns(columns: Columns) -> Drawing:
    """Draw what a scan found mapped."""
    return draw_space(zip(columns.ipa, columns.size, strict=True))


def columns_html(columns: Columns) -> str:
    """Return how much a scan found at each level as an HTML table."""
    return space_html(zip(columns.ipa, columns.size, columns.level, strict=True))


def _built(builder: TableBuilder) -> list[Run]:
    read = Memory(builder.images()).read
    found = scan(builder.geometry, builder.root, read, vtcr=builder.vtcr())
    return [(mapping.ipa, mapping.size, mapping.level) for mapping in found]


def draw_builder(builder: TableBuilder) -> Drawing:
    """Draw what a builder's tables map."""
    return draw_space((ipa, size) for ipa, size, _ in _built(builder))


def builder_html(builder: TableBuilder) -> str:
    """Return how large a builder's tables are and what they map, as HTML tables."""
    images = builder.images()
    tables = table(
        "Tables",
        ("question", "answer"),
        (
            ("shape", heading(builder.geometry)),
            ("root", f"{builder.root:#x}"),
            ("tables below the root", len(images) - 1),
            ("bytes of all tables", size_text(sum(map(len, images.values())))),
            ("VTCR_EL2", f"{int(builder.vtcr()):#x}"),
            ("VTTBR_EL2", f"{int(builder.vttbr()):#x}"),
        ),
    )
    return f"{tables}\n{space_html(_built(builder))}"
