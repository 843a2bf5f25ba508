# SPDX-License-Identifier: MIT
"""HTML tables, with everything escaped."""

from collections.abc import Iterable, Sequence

from s2geom.core.wording import cell_text
from s2geom.show.svg import safe


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
