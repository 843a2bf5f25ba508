# SPDX-License-Identifier: MIT
"""`Displayed` and `PrintedAsRepr`: bases of values, for how they are shown.

A value that is `Displayed` draws itself in a notebook. The code that draws imports the
values, so a value cannot import it. The package's ``__init__`` passes a function to
`hand_down` that loads the drawing code at first use.
"""

from collections.abc import Callable, Collection
from typing import Any

Types = Collection[str] | None
"""Media types that a notebook wants or does not want; None is no restriction."""

_drawer: Callable[[Any, Types, Types], dict[str, str]] | None = None


def hand_down(draw: Callable[[Any, Types, Types], dict[str, str]]) -> None:
    """Set what draws a value: a function of the value, ``include`` and ``exclude``."""
    global _drawer  # noqa: PLW0603 - one hook for the whole process
    _drawer = draw


def fields_repr(value: Any) -> str:
    """Return the ``repr`` that attrs makes: ``Geometry(granule=Granule.K4, ...)``.

    One function serves every class of a first answer. If attrs compiles one for each, a
    third of the time that defines the class goes into it.
    """
    kind = type(value)
    parts = (f"{at.name}={getattr(value, at.name)!r}" for at in kind.__attrs_attrs__)
    return f"{kind.__name__}({', '.join(parts)})"


class Displayed:
    """What a notebook shows: the ``repr``, an HTML table and a picture."""

    __slots__ = ()

    def _repr_mimebundle_(
        self, include: Types = None, exclude: Types = None
    ) -> dict[str, str]:
        if _drawer is None:  # a room was imported without the package
            return {"text/plain": repr(self)}
        return _drawer(self, include, exclude)


class PrintedAsRepr:
    """What hypothesis and IPython print is the ``repr``.

    They would print the fields of an attrs class, private ones included.
    """

    __slots__ = ()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("..." if cycle else repr(self))
