# SPDX-License-Identifier: MIT
"""Notebooks as pages: what is stored in one, as Markdown.

Nothing is run here. A test runs the notebooks and compares what they say with what is
stored, so the stored outputs are the library's.
"""

import json
from collections.abc import Iterator
from typing import Any

FENCE = "`" * 8
"""Longer than any that a cell may have inside."""


def markdown(notebook: str) -> str:
    """Return the text of a notebook file as a page."""
    cells = json.loads(notebook)["cells"]
    return "\n\n".join(block for cell in cells for block in _blocks(cell)) + "\n"


def _blocks(cell: dict[str, Any]) -> Iterator[str]:
    text = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield text
        return
    yield _fenced("python", text)
    for output in cell["outputs"]:
        yield _output(output)


def _output(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return _said("".join(output["text"]))
    forms = output["data"]
    if "text/html" in forms:
        html = "".join(forms["text/html"])
        return _fenced("{raw} html", f'<div class="output">\n{html}\n</div>')
    return _said("".join(forms["text/plain"]))


def _said(text: str) -> str:
    return _fenced("{code-block} text", f":class: said\n\n{text}")


def _fenced(kind: str, text: str) -> str:
    return f"{FENCE}{kind}\n{text.rstrip()}\n{FENCE}"
