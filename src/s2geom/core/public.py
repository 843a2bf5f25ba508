# SPDX-License-Identifier: MIT
"""Mark what users may import: it speaks as ``s2geom``, wherever it is written."""

from typing import Any, TypeVar

Thing = TypeVar("Thing", bound=Any)


def public(thing: Thing) -> Thing:
    """Give a class or function the package's name instead of its module's.

    Tracebacks, ``repr`` of classes and pickles then say ``s2geom.Geometry``, so a
    module may be split or renamed without breaking anything that was stored.
    """
    thing.__module__ = "s2geom"
    return thing
