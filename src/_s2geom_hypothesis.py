# SPDX-License-Identifier: MIT
"""The entry point that hypothesis loads: it registers the types of s2geom.

This module stands beside the package and imports nothing of it. So importing hypothesis
loads no part of s2geom, and works where s2geom is broken. Types are registered when
they are defined, and their strategies are loaded when a test asks for one.
"""

import sys
from typing import Any


def register() -> None:
    """Register the public types that are defined already.

    Hypothesis calls this at the end of its own import. `s2geom.core.public` calls
    `offer` for each type that is defined later.
    """
    public = sys.modules.get("s2geom.core.public")
    for kind in [] if public is None else [*public.TYPES]:
        offer(kind)


def offer(kind: type) -> None:
    """Register one type.

    Args:
        kind: A public type of s2geom.
    """
    from hypothesis import strategies as st  # noqa: PLC0415 - its import calls this

    st.register_type_strategy(kind, _strategy)


def _strategy(kind: type) -> Any:
    from s2geom.strategies.by_type import strategy_of  # noqa: PLC0415 - a type is asked

    return strategy_of(kind)
