# SPDX-License-Identifier: MIT
"""A package's door: public names that load their room when they are first used."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def door(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """Return a package's ``__getattr__``.

    A name is stored in the package once it is loaded, so the door is asked only once.

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
