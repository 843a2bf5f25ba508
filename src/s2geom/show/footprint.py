# SPDX-License-Identifier: MIT
"""The memory that tables take, for each way to map, as a table and as bars."""

from s2geom.build.footprint import Footprint, TableCount
from s2geom.compare.shape_facts import heading
from s2geom.core.units import size_text
from s2geom.core.wording import counted
from s2geom.show.html import table
from s2geom.show.svg import MARGIN, Drawing


def _ways(counts: Footprint) -> dict[str, TableCount]:
    """Return the ways to map that were counted, by what they are called."""
    ways = {"pages alone": counts.worst, "KVM's leaves": counts.kvm}
    ways |= {"largest blocks": counts.best}
    return {name: count for name, count in ways.items() if count is not None}


def _title(counts: Footprint) -> str:
    return f"Tables for {size_text(counts.mapped)} in {heading(counts.geometry)}"


def footprint_html(counts: Footprint) -> str:
    """Return the tables and leaves of each level as an HTML table."""
    ways = _ways(counts)
    levels = [level.number for level in counts.geometry.table_levels]
    columns: list[list[object]] = [["level", *levels, "all"]]
    for name, count in ways.items():
        total = f"{count.tables} ({size_text(count.bytes)})"
        columns += [
            [f"tables, {name}", *(level.tables for level in count.levels), total],
            [f"leaves, {name}", *(level.leaves for level in count.levels), None],
        ]
    header, *rows = zip(*columns, strict=True)
    return table("Tables and leaves of each level", list(map(str, header)), rows)


def draw_footprint(counts: Footprint) -> Drawing:
    """Draw the bytes of the tables as bars, each way to map beside the others."""
    pen = Drawing(_title(counts))
    ways = _ways(counts)
    most = max(1, *(count.bytes for count in ways.values()))
    sentences = []
    for at, (name, count) in enumerate(ways.items()):
        y = 50 + at * 46
        tables = counted(count.tables, "table")
        text = f"{name}: {tables}, {size_text(count.bytes)}"
        pen.words(MARGIN, y + 8, text)
        pen.box(MARGIN, y + 14, 602, 16)
        filled = max(1.0, count.bytes / most * 600)
        pen.box(MARGIN + 1, y + 15, filled, 14, "bar", stroke=None)
        sentences.append(f"{text}.")
    pen.description = " ".join(sentences)
    return pen
