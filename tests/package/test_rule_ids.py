# SPDX-License-Identifier: MIT
"""Rule ids are API: each names one row in the whole package."""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module

import s2geom
from s2geom.core.rules import Rule
from s2geom.kernel.limits import KvmLimit

NOT_IMPORTED = ("s2geom.__main__", "s2geom.in_gdb.")
"""Modules that run something when they are imported."""


def rows(value: object) -> Iterator[Rule[object] | KvmLimit]:
    """Yield every rule that a module's value is made of."""
    if isinstance(value, Rule | KvmLimit):
        yield value
    elif isinstance(value, Mapping):
        yield from rows(tuple(value.values()))
    elif isinstance(value, tuple | list | frozenset):
        for part in value:
            yield from rows(part)
    else:
        for field in getattr(type(value), "__attrs_attrs__", ()):
            yield from rows(getattr(value, field.name))


def every_rule() -> dict[int, tuple[str, str]]:
    """Return each row of the package by its identity: its id, and a module with it."""
    found = {}
    for module in pkgutil.walk_packages(s2geom.__path__, "s2geom."):
        if not module.name.startswith(NOT_IMPORTED):
            for value in vars(import_module(module.name)).values():
                for rule in rows(value):
                    found[id(rule)] = (rule.id, module.name)
    return found


def test_a_rule_id_names_one_row() -> None:
    """An id may be reported in two places only if it is the same row."""
    homes: dict[str, list[str]] = {}
    for rule, module in every_rule().values():
        homes.setdefault(rule, []).append(module)

    assert len(homes) > 60
    assert {} == {rule: where for rule, where in homes.items() if len(where) > 1}
