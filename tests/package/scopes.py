# SPDX-License-Identifier: MIT
"""Name the place of a line: its function, its method, or its row of a table."""

import ast
from collections.abc import Iterator


def scopes(source: str) -> Iterator[tuple[str, int, int]]:
    """Yield every named place of a module with its first and its last line.

    A place is a class, a function, a name that a module gives a value, or a row of a
    table of rules, which is named ``TABLE[id]``. An outer place comes before an inner.
    """

    def inside(node: ast.AST, name: str) -> Iterator[tuple[str, int, int]]:
        for child in ast.iter_child_nodes(node):
            below = name
            last = getattr(child, "end_lineno", 0)
            if isinstance(child, ast.ClassDef | ast.FunctionDef):
                below = f"{name}.{child.name}".lstrip(".")
            elif isinstance(child, ast.Assign | ast.AnnAssign) and not name:
                targets = child.targets if isinstance(child, ast.Assign) else []
                target = [*targets, getattr(child, "target", None)][0]
                below = target.id if isinstance(target, ast.Name) else ""
            elif isinstance(child, ast.Call) and _id(child):
                below = f"{name}[{_id(child)}]"
            if below != name:
                lines = [each.lineno for each in getattr(child, "decorator_list", [])]
                yield below, min([getattr(child, "lineno", 0), *lines]), last
            yield from inside(child, below)

    return inside(ast.parse(source), "")


def _id(call: ast.Call) -> str:
    """Return the id of a row: its keyword `id`, or nothing."""
    for keyword in call.keywords:
        if keyword.arg == "id" and isinstance(keyword.value, ast.Constant):
            return str(keyword.value.value)
    return ""


def scope(source: str, line: int) -> str:
    """Return the innermost place that a line is in; ``module`` outside all of them."""
    name = "module"
    for each, first, last in scopes(source):
        if first <= line <= last:
            name = each
    return name
