# SPDX-License-Identifier: MIT
"""How the documentation is built: Sphinx, furo and MyST.

What the pages take from the library is written first, on every build: see `generate`
(the calculator's answers), `tables` (rules, fields, commands and pictures) and
`reference_pages` (a page for each public name). Nothing needs the network.
"""

import re
import sys
from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
GENERATED = HERE / "_generated"
(GENERATED / "static").mkdir(parents=True, exist_ok=True)  # Sphinx asks before we write

sys.path.insert(0, str(HERE))

project = "s2geom"
author = "The s2geom authors"
copyright = "2026, The s2geom authors"  # noqa: A001 - Sphinx's own name
version = release = installed_version("s2geom")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
]
if find_spec("sphinx_copybutton"):
    extensions.append("sphinx_copybutton")
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

source_suffix = {".md": "markdown", ".ipynb": "markdown"}
# What is generated is included by the pages, and is no page itself.
exclude_patterns = ["_build", "_generated", "notebooks/README.md"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "s2geom"
html_static_path = ["_static", "_generated/static"]
html_css_files = ["pages.css", "calculator.css", "notebooks.css"]
html_js_files = [("tables.js", {"defer": "defer"})]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
default_role = "py:obj"  # a name in single backquotes of a docstring is a link
intersphinx_mapping = {
    "python": ("https://docs.python.org/3/", str(GENERATED / "python.inv"))
}
# Names of other projects that the inventory above does not have are no links. Every
# public name of ours must be there; one with a module in it is private.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!s2geom).*"),
    (r"py:.*", r"s2geom\.[a-z_]+\.[a-z_.]*\w+"),
]


def write_what_is_generated(_: Sphinx) -> None:
    """Ask the library for everything that the pages take from it."""
    import generate  # noqa: PLC0415 - found by the path above
    import reference_pages  # noqa: PLC0415
    import tables  # noqa: PLC0415

    tables.write(GENERATED)
    reference_pages.write(HERE / "reference" / "api")
    generate.write(GENERATED / "static")


def open_notebook(app: Sphinx, page: str, source: list[str]) -> None:
    """Turn a notebook into a page, with the outputs that are stored in it."""
    import notebook_pages  # noqa: PLC0415

    if app.env.doc2path(page).suffix == ".ipynb":
        source[0] = notebook_pages.markdown(source[0])


def tidy(_: Sphinx, __: str, source: list[str]) -> None:
    """Drop the blank line that ends a session for doctest, but for no reader."""
    source[0] = re.sub(r"\n\n```$", "\n```", source[0], flags=re.MULTILINE)


def setup(app: Sphinx) -> None:
    """Register what happens before the pages are read, and after."""
    import links  # noqa: PLC0415 - found by the path above

    links.write_inventory(GENERATED / "python.inv")
    app.connect("doctree-read", links.link_names)
    app.connect("builder-inited", write_what_is_generated)
    app.connect("source-read", open_notebook)
    app.connect("source-read", tidy)
