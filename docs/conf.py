# SPDX-License-Identifier: MIT
"""How the documentation is built: Sphinx, furo and MyST."""

from importlib.metadata import version as installed_version

project = "s2geom"
author = "The s2geom authors"
copyright = "2026, The s2geom authors"  # noqa: A001 - Sphinx's own name
version = release = installed_version("s2geom")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "notebooks/README.md"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "s2geom"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
