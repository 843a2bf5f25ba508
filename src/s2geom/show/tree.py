# SPDX-License-Identifier: MIT
"""`table_tree`: the levels of a geometry and what one entry maps at each.

A notebook shows a `Geometry` with this picture and with tables of its facts.
"""

from s2geom.compare.shape_facts import SHAPE_FACTS, heading, level_table
from s2geom.core.geometry import Geometry, Level, geometry_of
from s2geom.core.public import public
from s2geom.core.units import size_text
from s2geom.core.wording import cell_text
from s2geom.show.html import table
from s2geom.show.svg import MARGIN, SMALL, Drawing

MOST_TABLES_DRAWN = 16
"""As many as the architecture concatenates; more are a number."""


@public
def table_tree(geometry: Geometry) -> str:
    """Return an SVG picture of the tables and of what one entry of each maps.

    On the left the tables, those of the root side by side. On the right, on a scale
    that doubles at each step, what one entry of each level maps, and what a contiguous
    group of them does.

    Args:
        geometry: The shape.

    Raises:
        TypeError: It is no `Geometry`.

    >>> "32 MiB" in table_tree(Geometry(14, 40, 2))
    True
    """
    return draw_tree(geometry_of(geometry)).svg()


def draw_tree(geometry: Geometry) -> Drawing:
    """Draw the tables of a shape."""
    pen = Drawing(heading(geometry))
    levels = geometry.table_levels
    top, row_height = 84, 104
    bottom = top + len(levels) * row_height
    _scale(pen, geometry, top - 22, bottom)
    sentences = []
    for at, level in enumerate(levels):
        y = top + at * row_height
        tables = _about_tables(geometry, level)
        for line, text in enumerate(tables):
            pen.words(MARGIN, y + line * 16, text, bold=line == 0)
        count = min(level.tables, MOST_TABLES_DRAWN)
        middle = _tables(pen, level, y + 24, count)
        if at + 1 < len(levels):
            pen.arrow(middle, y + 64, middle, y + row_height - 14)
        sentences.append(". ".join((*tables, *_span(pen, geometry, level, y))))
    pen.description = ". ".join(sentences) + "."
    return pen


AXIS_LEFT, AXIS_WIDTH = 440, 320
TABLES_WIDTH = 376


def _along(geometry: Geometry, bits: int) -> float:
    """Return where a size stands on the scale; what is beyond the IPA, at its end."""
    return AXIS_LEFT + AXIS_WIDTH * min(bits, geometry.ipa_bits) / geometry.ipa_bits


def _scale(pen: Drawing, geometry: Geometry, top: float, bottom: float) -> None:
    marks = {
        bits: unit
        for bits, unit in zip(
            range(0, 70, 10),
            ("1 B", "1 KiB", "1 MiB", "1 GiB", "1 TiB", "1 PiB", "1 EiB"),
            strict=True,
        )
        if _along(geometry, bits) < AXIS_LEFT + AXIS_WIDTH - 60
    }
    marks[geometry.ipa_bits] = size_text(geometry.ipa_size)
    for bits, label in marks.items():
        x = _along(geometry, bits)
        last = bits == geometry.ipa_bits
        pen.line(x, top + 6, x, bottom - 20)
        pen.words(
            x,
            top,
            label,
            size=SMALL,
            anchor="end" if last else "middle",
            ink="muted",
        )


def _about_tables(geometry: Geometry, level: Level) -> tuple[str, str]:
    entries = f"{level.entries} entries" if level.entries > 1 else "1 entry"
    if level.number != geometry.start_level:
        return (
            f"level {level.number}: a table for each entry above",
            f"{entries}, {size_text(geometry.page_size)}",
        )
    tables = f"{level.tables} tables side by side" if level.tables > 1 else "1 table"
    size, alignment = size_text(geometry.pgd_size), size_text(geometry.pgd_alignment)
    return (
        f"level {level.number}: the root, {tables}",
        f"{entries}, {size}, aligned to {alignment}",
    )


def _tables(pen: Drawing, level: Level, y: float, count: int) -> float:
    """Draw the tables of a level; return where the entry is that leads on."""
    room = min(52.0, (TABLES_WIDTH - 16) / count)
    for at in range(count):
        x = MARGIN + at * room
        pen.box(x, y, room, 40, f"level{level.number}")
        for entry in (10, 20, 30):
            pen.line(x, y + entry, x + room, y + entry, on_box=True)
    if level.tables > count:
        pen.words(MARGIN + count * room + 4, y + 25, "\u2026")
    # One entry of the first table stands for all: the level below is drawn once.
    pen.box(MARGIN, y + 30, room, 10, "plain")
    return MARGIN + room / 2


def _span(pen: Drawing, geometry: Geometry, level: Level, y: float) -> tuple[str, ...]:
    """Draw what one entry of a level maps; return it in words."""
    end = _along(geometry, level.shift)
    size = size_text(level.entry_size)
    labels = [f"{level.leaf or 'table only'}: {size}"]
    fill = f"level{level.number}" if level.leaf else "blank"
    wide = end - AXIS_LEFT
    pen.box(AXIS_LEFT, y + 24, wide, 22, fill, dashed=not level.leaf)
    if level.contiguous:
        group = level.contiguous << level.shift
        wide = _along(geometry, group.bit_length() - 1) - end
        pen.box(end, y + 24, wide, 22)
        pen.hatch(end, y + 24, wide, 22)
        labels.append(f"{level.contiguous} contiguous: {size_text(group)}")
    for line, label in enumerate(labels):
        pen.words(AXIS_LEFT + 4, y + 1 + line * 16, label, bold=line == 0)
    return tuple(labels)


def geometry_html(geometry: Geometry) -> str:
    """Return the levels of a shape and its facts as HTML tables."""
    header, rows = level_table(geometry)
    levels = table("Levels of lookup", header, rows)
    facts = table(
        "What follows from it",
        ("property", "value", "in words", "what it is"),
        (
            (
                fact.name,
                fact.value(geometry),
                f"{fact.label}: {cell_text(fact.shown(geometry))}",
                fact.meaning,
            )
            for fact in SHAPE_FACTS
            if fact.label
        ),
    )
    return f"{levels}\n{facts}"
