# SPDX-License-Identifier: MIT
"""Public names: how they are marked, loaded at first use and restored from pickles."""

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, TypeVar

Thing = TypeVar("Thing", bound=Any)

TYPES: list[type] = []
"""Every public type that is defined so far, exceptions aside."""


def public(thing: Thing) -> Thing:
    """Set ``__module__`` to ``s2geom``, and tell hypothesis of a new type.

    Tracebacks, ``repr`` of classes and pickles then say ``s2geom.Geometry``, so they do
    not depend on the layout of the package.

    If hypothesis was imported before, its entry point `_s2geom_hypothesis` is loaded,
    and registers the type. If it is imported later, the entry point reads `TYPES`.
    """
    thing.__module__ = "s2geom"
    if isinstance(thing, type) and not issubclass(thing, BaseException):
        TYPES.append(thing)
        entry_point = sys.modules.get("_s2geom_hypothesis")
        if entry_point is not None:
            entry_point.offer(thing)
    return thing


def loads_older_pickles(kind: Thing) -> Thing:
    """Let an attrs class load pickles that were written before its newest fields.

    A field that the pickle does not have gets its default.
    """

    def set_state(self: object, state: Mapping[str, object]) -> None:
        kind.__init__(
            self,
            **{
                field.alias: state[field.name]
                for field in kind.__attrs_attrs__
                if field.name in state
            },
        )

    kind.__setstate__ = set_state
    return kind


def homes(package: str, rooms: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Return the full name of the module of every public name of a package.

    Args:
        package: The package's full name.
        rooms: The names by their modules, named below the package.
    """
    return {
        name: f"{package}.{room}" for room, names in rooms.items() for name in names
    }


def door(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """Return a package's ``__getattr__``: it loads a public name at its first use.

    The name is then stored in the package, so Python does not call it again.

    Args:
        package: The package's full name.
        homes: Every public name, and the full name of the module that defines it.
    """

    def load(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(homes[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
