# SPDX-License-Identifier: MIT
"""Links from names in prose, to our own pages and to Python's.

A public name between backquotes becomes a link to its page. Python's names are looked
up in an inventory that is written here, so that a build needs no network.
"""

import zlib
from pathlib import Path
from types import FunctionType

from docutils import nodes
from reference_pages import entries
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

PYTHON = {
    "library/stdtypes.html": ("dict", "frozenset", "memoryview", "range", "set", "str"),
    "library/functions.html": (
        "bool",
        "bytearray",
        "bytes",
        "classmethod",
        "float",
        "int",
        "list",
        "object",
        "property",
        "tuple",
    ),
    "library/exceptions.html": (
        "AssertionError",
        "AttributeError",
        "KeyboardInterrupt",
        "MemoryError",
        "OSError",
        "TypeError",
        "ValueError",
    ),
    "library/enum.html": ("enum.Enum", "enum.IntEnum"),
    "library/array.html": ("array.array",),
    "library/pathlib.html": ("pathlib.Path",),
    "library/collections.abc.html": (
        "collections.abc.Callable",
        "collections.abc.Iterable",
        "collections.abc.Iterator",
        "collections.abc.Mapping",
        "collections.abc.Sequence",
    ),
}
"""Python's names that docstrings use, by the page of Python's documentation."""

NOT_ON = ("reference/command", "changelog", "explanation/mutants")
"""Pages on which a word such as `walk` is a command, or a name as it once was."""

DOCUMENTED = (property, classmethod, staticmethod, FunctionType)
"""Members with an entry of their own; fields are described with their class."""


def write_inventory(path: Path) -> None:
    """Write Python's names as Sphinx wants them: a version 2 inventory."""
    rows = "".join(
        f"{name} py:{_kind(page)} 1 {page}#$ -\n"
        for page, names in PYTHON.items()
        for name in names
    )
    head = (
        "# Sphinx inventory version 2\n# Project: Python\n# Version: 3\n"
        "# The remainder of this file is compressed using zlib.\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head.encode() + zlib.compress(rows.encode()))


def _kind(page: str) -> str:
    return "exception" if "exceptions" in page else "class"


def link_names(app: Sphinx, doctree: nodes.document) -> None:
    """Turn public names in inline code into references."""
    page = app.env.docname
    if page in NOT_ON:
        return
    names = _names()
    for literal in list(doctree.findall(nodes.literal)):
        full = names.get(_plain(literal.astext()))
        if full is None or _is_inside(literal, nodes.reference, nodes.title):
            continue
        link = pending_xref(
            "",
            literal.deepcopy(),
            refdomain="py",
            reftype="obj",
            reftarget=full,
            refexplicit=True,
            refwarn=False,
            refdoc=page,
        )
        literal.replace_self(link)


def _names() -> dict[str, str]:
    """Return what may stand in prose, with the full name that it is."""
    names = {}
    for entry in entries():
        short = entry.full_name.removeprefix("s2geom.")
        thing = entry.thing
        members = vars(thing) if isinstance(thing, type) else {}
        for spelling in {short, f"s2.{short}", entry.full_name}:
            names[spelling] = entry.full_name
            for member, value in members.items():
                own = f".{member}" if isinstance(value, DOCUMENTED) else ""
                if member[0] != "_":
                    names[f"{spelling}.{member}"] = entry.full_name + own
    return names


def _plain(text: str) -> str:
    """Return a name without the brackets of a call that is mentioned."""
    return text.removesuffix("()").removesuffix("(...)")


def _is_inside(node: nodes.Node, *kinds: type[nodes.Node]) -> bool:
    parent = node.parent
    while parent is not None:
        if isinstance(parent, (*kinds, pending_xref)):
            return True
        parent = parent.parent
    return False
