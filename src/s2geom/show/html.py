# SPDX-License-Identifier: MIT
"""HTML with everything escaped: tables, and a page of pictures and tables."""

from collections.abc import Iterable, Sequence

from s2geom.core.wording import cell_text
from s2geom.show.svg import Drawing, safe

LEFT = 'style="text-align:left"'
"""On each cell: JupyterLab's own style aligns what is in a cell to the right."""


def table(
    caption: str,
    header: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    empty: str = "",
) -> str:
    """Return an HTML table: the first cell of each row is the row's header.

    Args:
        caption: What the table shows.
        header: The names of the columns.
        rows: As many cells each as the header.
        empty: The sentence instead of a table without rows.
    """
    body = "\n".join(
        f'<tr><th scope="row" {LEFT}>{_cell(first)}</th>'
        + "".join(f"<td {LEFT}>{_cell(value)}</td>" for value in rest)
        + "</tr>"
        for first, *rest in rows
    )
    if not body:
        return f"<p>{safe(empty)}</p>"
    head = "".join(f'<th scope="col" {LEFT}>{safe(name)}</th>' for name in header)
    return (
        '<table style="border-spacing:.8em .1em">\n'
        f"<caption {LEFT}>{safe(caption)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    )


def _cell(value: object) -> str:
    return safe(cell_text(value))


def page(pictures: Sequence[Drawing], tables: str) -> str:
    """Return pictures above tables, under the title of the first picture."""
    heading = [f"<p><strong>{safe(pictures[0].title)}</strong></p>"] if pictures else []
    images = [picture.img() for picture in pictures]
    return "\n".join(["<div>", *heading, *images, tables, "</div>"])
