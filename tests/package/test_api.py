# SPDX-License-Identifier: MIT
"""The public surface, whole: every name, how it is called, and what it has.

It is kept in ``kept/public_names.txt``. Annotations are left to the type checker; what
is here is what a caller can get wrong at run time: order, keyword-only arguments,
defaults.
"""

import inspect
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, is_typeddict

from attrs import frozen
from keeping import kept

import s2geom
import s2geom.strategies

KEPT = Path(__file__).parents[1] / "kept" / "public_names.txt"


def called(function: Any) -> str:
    """Return how something is called, without annotations."""
    if is_typeddict(function):
        return f"({', '.join(function.__annotations__)})"
    signature = inspect.signature(function)
    bare = [
        each.replace(annotation=inspect.Parameter.empty, default=written(each.default))
        for each in signature.parameters.values()
    ]
    return str(inspect.Signature(bare))


@frozen(repr=False)
class Written:
    """A default as it is to be shown."""

    text: str

    def __repr__(self) -> str:
        return self.text


def written(default: object) -> object:
    """Return a default with a text that is the same in every run: a set has none."""
    if isinstance(default, frozenset):
        return Written(f"frozenset({sorted(default)})")
    return default


def members(cls: type) -> Iterator[str]:
    """Return what a class has of ours, inherited or not, a line each."""
    ours = {
        name: thing
        for base in reversed(cls.__mro__)
        if base.__module__.startswith("s2geom")
        for name, thing in vars(base).items()
        if not name.startswith("_")
    }
    for name, thing in sorted(ours.items()):
        if isinstance(thing, classmethod | staticmethod):
            yield f"    {name}{called(getattr(cls, name))}  # {type(thing).__name__}"
        elif inspect.isfunction(thing):
            yield f"    {name}{called(thing)}"
        else:
            yield f"    {name}"


def surface(module: Any) -> Iterator[str]:
    """Return the public names of a module, with all that they have."""
    for name in sorted(module.__all__):
        thing = getattr(module, name)
        if isinstance(thing, type):
            # How an exception or an enumeration is called is Python's.
            plain = issubclass(thing, Enum | Exception)
            yield f"class {name}" if plain else f"class {name}{called(thing)}"
            yield from members(thing)
        elif callable(thing):
            yield f"{name}{called(thing)}"
        else:
            yield name


def test_the_public_surface_is_what_it_was() -> None:
    """Names, methods, the order of arguments, and their defaults."""
    shown = "\n".join(
        [
            *surface(s2geom),
            "",
            "# s2geom.strategies",
            *surface(s2geom.strategies),
            "",
        ]
    )

    assert kept(KEPT, shown) == shown
