# SPDX-License-Identifier: MIT
"""The law of the house: which wing may import which, and how a source breaks it."""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "s2geom"

WINGS: dict[str, frozenset[str]] = {
    "core": frozenset(),
    "cpu": frozenset({"core"}),
    "registers": frozenset({"core", "cpu"}),
    "kernel": frozenset({"core", "cpu"}),
    "kconfig": frozenset({"core", "cpu", "kernel"}),
    "compare": frozenset({"core", "cpu", "kernel"}),
    "tables": frozenset({"core", "cpu", "registers"}),
    "build": frozenset({"core", "cpu", "registers", "tables"}),
    "readers": frozenset({"core", "tables"}),
}
"""Every wing below the surface, and the wings that it may import."""

_BELOW = frozenset(WINGS)
WINGS |= {
    "show": _BELOW,
    "strategies": _BELOW,
    "in_gdb": _BELOW,
    "cli": _BELOW | {"show", "in_gdb"},
}
"""The surface: these see everything below, and only `cli` sees others of the four."""

DOORS = ("", "__main__")
"""The package itself and ``python -m s2geom`` stand above all wings."""

BEYOND_THE_STANDARD_LIBRARY = {
    "cli": {"attrs", "shtab"},
    "in_gdb": {"attrs", "gdb"},
    "readers": {"attrs", "drgn", "gdb", "kdumpfile"},
    "strategies": {"attrs", "hypothesis"},
}
"""What a wing may import that neither Python nor this package has; else attrs alone.

Only attrs is a dependency: the others are imported where they are used, by those who
have them."""

MOST_ROOMS = 12
"""A wing with more rooms than this has more than one subject."""

_STANDARD = sys.stdlib_module_names - {"__future__"}


def modules() -> dict[str, str]:
    """Return the text of every module, by its name below ``s2geom``; "" is the door."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        found[name] = path.read_text(encoding="utf-8")
    return found


def imports(text: str, names: Iterable[str]) -> Iterator[str]:
    """Yield what a module imports, at whatever depth of its code, by full names.

    Args:
        text: The module's source.
        names: All modules of the package, to tell ``from s2geom import kernel``, which
            names a module, from ``from s2geom import Host``, which does not.
    """
    known = {f"s2geom.{name}" for name in names if name}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield full if full in known else base


def own_imports(text: str, names: Iterable[str]) -> set[str]:
    """Return the modules of ours that a module imports, by names below ``s2geom``."""
    return {
        name.removeprefix("s2geom").removeprefix(".")
        for name in imports(text, names)
        if name.partition(".")[0] == "s2geom"
    }


def faults(name: str, text: str, names: Iterable[str]) -> list[str]:
    """Return how a module breaks the law, a sentence for each forbidden import."""
    names = set(names)
    wing = name.partition(".")[0]
    found = []
    for target in sorted(own_imports(text, names)):
        other = target.partition(".")[0]
        if name in DOORS:
            continue
        if not target:
            found.append(f"{name} imports the front door")
        elif other != wing and other not in WINGS[wing]:
            found.append(f"{name} imports {target}: {wing} may not import {other}")
        elif other == target:
            found.append(f"{name} imports the wing {target}, not a room of it")
    allowed = BEYOND_THE_STANDARD_LIBRARY.get(wing, {"attrs"})
    for target in sorted({full.partition(".")[0] for full in imports(text, names)}):
        if target == "":
            found.append(f"{name} imports relatively")
        elif target == "__future__":
            found.append(f"{name} postpones annotations, which get_type_hints reads")
        elif target not in {*_STANDARD, "s2geom", *allowed}:
            found.append(f"{name} imports {target}, which is no dependency of {wing}")
    return found


def circles(texts: Mapping[str, str]) -> list[list[str]]:
    """Return every circle of imports, each as the modules that it goes through."""
    arrows = {name: own_imports(text, texts) & {*texts} for name, text in texts.items()}
    found, done = [], set[str]()

    def follow(name: str, path: list[str]) -> None:
        if name in path:
            found.append(path[path.index(name) :])
        elif name not in done:
            for target in sorted(arrows[name]):
                follow(target, [*path, name])
            done.add(name)

    for name in texts:
        follow(name, [])
    return found
