# SPDX-License-Identifier: MIT
"""HTML with everything escaped: tables, and a page of pictures and tables."""

from collections.abc import Iterable, Sequence

from s2geom.core.wording import cell_text
from s2geom.show.svg import Drawing, safe


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return an HTML table: the first cell of each row is the row's header."""
    head = "".join(f'<th scope="col">{safe(name)}</th>' for name in header)
    body = "\n".join(
        f'<tr><th scope="row">{safe(cell_text(first))}</th>'
        + "".join(f"<td>{safe(cell_text(value))}</td>" for value in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return (
        '<table style="border-spacing:.8em .1em;text-align:left">\n'
        f"<caption>{safe(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )


def page(pictures: Sequence[Drawing], tables: str) -> str:
    """Return pictures above tables, under the title of the first picture."""
    heading = [f"<p><strong>{safe(pictures[0].title)}</strong></p>"] if pictures else []
    images = [picture.img() for picture in pictures]
    return "\n".join(["<div>", *heading, *images, tables, "</div>"])
