# SPDX-License-Identifier: MIT
"""What a test sees of a strategy: its values in a run, and the simplest of a kind."""

from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, find, given, settings
from hypothesis.strategies import SearchStrategy

Value = TypeVar("Value")


def smallest(
    strategy: SearchStrategy[Value], condition: Callable[[Value], object]
) -> Value:
    """Return what a failing test would show."""
    return find(
        strategy,
        lambda value: bool(condition(value)),
        settings=settings(max_examples=2000, suppress_health_check=[*HealthCheck]),
    )


def drawn(strategy: SearchStrategy[Value], count: int = 200) -> list[Value]:
    """Return what a run of a test would see."""
    found = []

    @settings(max_examples=count, suppress_health_check=[*HealthCheck])
    @given(strategy)
    def run(value: Value) -> None:
        found.append(value)

    run()
    return found
