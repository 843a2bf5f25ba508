# SPDX-License-Identifier: MIT
"""Hypothesis finds the strategies by itself, whoever is imported first."""

import subprocess
import sys

import pytest

BOTH = ["s2geom.strategies", "hypothesis"]


@pytest.mark.parametrize("modules", [BOTH, BOTH[::-1], BOTH[1:]], ids=" then ".join)
def test_a_type_is_enough_in_any_order_of_imports(modules: list[str]) -> None:
    """Each of the two imports the other, so both orders go through half a module."""
    code = (
        f"import {', '.join(modules)}\n"
        "from hypothesis import strategies as st\n"
        "from s2geom import VTCR_EL2\n"
        "print(repr(st.from_type(VTCR_EL2)).partition('(')[0])\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )

    # Unregistered, hypothesis would guess at the arguments: "builds".
    assert done.stderr == ""
    assert done.stdout.strip() not in {"", "builds"}
