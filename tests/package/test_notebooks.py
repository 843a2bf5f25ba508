# SPDX-License-Identifier: MIT
"""The notebooks say what the library says today.

Each is run from the start in a kernel of its own, and every output is compared with
the one that is stored. After a change that is meant, run this file itself: it runs them
and stores what they say now.
"""

import json
import os
import runpy
import tempfile
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))

NAMES = [
    "choosing-a-granule",
    "patch-in-pictures",
    "read-a-dump",
    "will-my-guest-fit",
]

METADATA = {
    "kernelspec": {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}
"""What a notebook says about itself: nothing about the machine that it ran on."""

SECONDS = 120
"""Until a cell is given up."""


def missing() -> str | None:
    """Tell what is not here; `None` when notebooks can be run."""
    if all(map(find_spec, ("nbclient", "ipykernel"))):
        return None
    return "needs nbclient and ipykernel (dependency group notebooks)"


@pytest.fixture
def jupyter() -> None:
    """Skip where notebooks cannot be run; fail where all must be there."""
    reason = missing()
    if reason and os.environ.get("S2GEOM_ALL") == "1":
        pytest.fail(f"S2GEOM_ALL=1 and this test {reason}", pytrace=False)
    if reason:
        pytest.skip(reason)


def load(path: Path) -> Any:
    """Return a notebook as it is stored."""
    return import_module("nbformat").read(path, as_version=4)


def run(path: Path) -> Any:
    """Return a notebook as it is after a run in its own folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Jupyter's own affairs
        notebook = load(path)
        client = import_module("nbclient").NotebookClient(
            notebook,
            timeout=SECONDS,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(path.parent)}},
        )
        with tempfile.TemporaryDirectory() as folder:
            # Nothing of the user's own setting may change what a notebook says.
            client.execute(env=os.environ | {"IPYTHONDIR": folder})
    notebook.metadata.clear()
    notebook.metadata.update(METADATA)
    return notebook


def code(notebook: Any) -> list[Any]:
    """Return the cells of code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_these_notebooks() -> None:
    """The folder has exactly the notebooks that are listed here."""
    assert NAMES == [path.stem for path in NOTEBOOKS]


@pytest.mark.usefixtures("jupyter")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_says_what_is_stored(path: Path) -> None:
    """Each cell has the outputs of a fresh run, of all media types."""
    stored, fresh = code(load(path)), code(run(path))

    for kept, new in zip(stored, fresh, strict=True):
        assert says(kept) == says(new), new.source


def says(cell: Any) -> list[dict[str, Any]]:
    """Return the outputs of a cell, without the count of its runs."""
    return [
        {key: value for key, value in output.items() if key != "execution_count"}
        for output in cell.outputs
    ]


@pytest.mark.usefixtures("jupyter")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_in_order(path: Path) -> None:
    """It was run from top to bottom, nothing failed, and it names no machine."""
    stored = load(path)
    cells = code(stored)

    assert METADATA == stored.metadata
    assert [*range(1, len(cells) + 1)] == [cell.execution_count for cell in cells]
    assert {"stream", "execute_result"} >= {
        output.output_type for cell in cells for output in cell.outputs
    }
    assert all({} == cell.metadata for cell in stored.cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_small_and_linked(path: Path) -> None:
    """It is in the documentation's index of notebooks, and no burden to a clone."""
    index = (DOCS / "notebooks/index.md").read_text(encoding="utf-8")

    assert path.stat().st_size < 300_000
    assert f"]({path.name})" in index


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_page_shows_all_that_a_notebook_has(path: Path) -> None:
    """Text, code and outputs come in their order, and of each output its best form."""
    text = path.read_text(encoding="utf-8")
    page = runpy.run_path(str(DOCS / "notebook_pages.py"))["markdown"](text)

    at = 0
    for cell in json.loads(text)["cells"]:
        pieces = [cell["source"]]
        for output in cell.get("outputs", ()):
            forms = output.get("data", {"text/plain": output.get("text")})
            pieces.append(forms.get("text/html", forms["text/plain"]))
        for piece in pieces:
            at = page.find("".join(piece).rstrip(), at)

            assert at > -1, piece


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_output_stops_an_export_to_latex(path: Path) -> None:
    """Nbconvert takes SVG to another program, so no output has it as a form."""
    kinds = {
        kind
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", ())
        for kind in output.get("data", ())
    }

    assert {"text/plain", "text/html"} >= kinds


def test_a_notebook_becomes_latex() -> None:
    """With nbconvert, and without Inkscape; the texts stand for the pictures."""
    if find_spec("nbconvert") is None:
        if os.environ.get("S2GEOM_ALL") == "1":
            pytest.fail("S2GEOM_ALL=1 and this test needs nbconvert", pytrace=False)
        pytest.skip("needs nbconvert (dependency group notebooks)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Jupyter's own affairs
        exporter = import_module("nbconvert").LatexExporter()
        for path in NOTEBOOKS:
            notebook = load(path)
            # What is Markdown goes through pandoc, which is not needed to show this.
            notebook.cells = code(notebook)
            latex, _ = exporter.from_notebook_node(notebook)

            assert "\\documentclass" in latex


if __name__ == "__main__":
    for each in NOTEBOOKS:
        import_module("nbformat").write(run(each), each)
