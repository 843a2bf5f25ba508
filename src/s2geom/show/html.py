# SPDX-License-Identifier: MIT
"""HTML tables, with everything escaped."""

from collections.abc import Iterable, Sequence

from s2geom.show.svg import safe

# Tables of HTML


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return an HTML table: the first cell of each row is the row's header."""
    head = "".join(f'<th scope="col">{safe(name)}</th>' for name in header)
    body = "\n".join(
        f'<tr><th scope="row">{_cell(first)}</th>'
        + "".join(f"<td>{_cell(value)}</td>" for value in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return (
        '<table style="border-spacing:.8em .1em;text-align:left">\n'
        f"<caption>{safe(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )


def _cell(value: object) -> str:
    if value is None:
        return "\u2013"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return safe(value)
