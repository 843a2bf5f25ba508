# SPDX-License-Identifier: MIT
"""What is public says that it is of ``s2geom``, and hypothesis is told of types."""

import sys
from types import SimpleNamespace

import pytest

from s2geom.core.public import TYPES, public


def test_hypothesis_is_told_of_types_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypothesis is told of value classes once its entry point is loaded."""
    told: list[type] = []
    monkeypatch.setitem(
        sys.modules, "_s2geom_hypothesis", SimpleNamespace(offer=told.append)
    )
    monkeypatch.setattr("s2geom.core.public.TYPES", [])
    made = [
        public(type("Shape", (), {})),
        public(type("Wrong", (ValueError,), {})),
        public(lambda: None),
    ]

    assert ["s2geom"] * 3 == [thing.__module__ for thing in made]
    assert ["Shape"] == [kind.__name__ for kind in told]

    monkeypatch.delitem(sys.modules, "_s2geom_hypothesis")
    public(type("Level", (), {}))

    assert ["Shape"] == [kind.__name__ for kind in told]
    assert TYPES
