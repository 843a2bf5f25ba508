# SPDX-License-Identifier: MIT
"""Public names: how they are marked, loaded at first use and restored from pickles."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeVar

Thing = TypeVar("Thing", bound=Any)


def public(thing: Thing) -> Thing:
    """Set ``__module__`` of a class or function to ``s2geom``.

    Tracebacks, ``repr`` of classes and pickles then say ``s2geom.Geometry``, so they do
    not depend on the layout of the package.
    """
    thing.__module__ = "s2geom"
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
