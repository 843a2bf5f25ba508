# SPDX-License-Identifier: MIT
"""Hypothesis knows the types of the package, and importing it loads nothing of it."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

import _s2geom_hypothesis
import s2geom as s2
from s2geom import strategies as s2st

ROOT = Path(__file__).parents[2]

OURS = "print(*sorted(name for name in sys.modules if 's2geom' in name))\n"


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Run code in a new interpreter, with the entry points of this tree's metadata."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    metadata = tmp_path / "s2geom-0.dist-info"
    metadata.mkdir()
    for group, entries in project["entry-points"].items():
        lines = [f"{name} = {target}\n" for name, target in entries.items()]
        text = "".join([f"[{group}]\n", *lines])
        (metadata / "entry_points.txt").write_text(text, "utf-8")

    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])

    def code(text: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", f"import sys\n{text}"],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path, **environment},
        )
        assert done.stderr == ""
        return done.stdout.strip()

    return code


def test_hypothesis_loads_nothing_of_the_package(run: Any) -> None:
    """Importing hypothesis loads the module of the entry point alone."""
    assert "_s2geom_hypothesis" == run(f"import hypothesis\n{OURS}")


def test_types_are_registered_without_loading_a_strategy(run: Any) -> None:
    """The strategies are loaded when a test asks for a type."""
    code = (
        "import hypothesis.strategies as st, s2geom\n"
        "kind = s2geom.Geometry\n"
        "print('s2geom.strategies' in sys.modules)\n"
        "st.from_type(kind).validate()\n"
        "print('s2geom.strategies' in sys.modules)\n"
    )

    assert "False\nTrue" == run(code)


ORDERS = [
    "import hypothesis, s2geom",
    "import s2geom, hypothesis",
    "from s2geom import VTCR_EL2\nimport hypothesis",
    "import hypothesis, s2geom.strategies",
    "import s2geom.strategies, hypothesis",
    "from s2geom.strategies import vtcrs\nimport hypothesis",
]


@pytest.mark.parametrize("imports", ORDERS)
def test_a_type_is_enough_in_any_order_of_imports(run: Any, imports: str) -> None:
    """It does not matter which is imported first, and what is loaded by then."""
    code = (
        f"{imports}\n"
        "from hypothesis import strategies as st\n"
        "from s2geom import VTCR_EL2\n"
        "print('vtcrs' in repr(st.from_type(VTCR_EL2)))\n"
    )

    # Unregistered, hypothesis would guess at the arguments.
    assert "True" == run(code)


def test_hypothesis_works_where_the_package_is_broken(run: Any, tmp_path: Path) -> None:
    """A package that cannot be imported does not stop hypothesis."""
    (tmp_path / "s2geom").mkdir()
    (tmp_path / "s2geom" / "__init__.py").write_text("1 / 0\n", "utf-8")

    assert "True" == run("import hypothesis\nprint('hypothesis' in sys.modules)\n")


def test_types_can_be_registered_by_hand(run: Any) -> None:
    """`register` is for where hypothesis loads no plugins."""
    code = (
        "import hypothesis.strategies as st, s2geom.strategies\n"
        "print('_s2geom_hypothesis' in sys.modules)\n"
        "s2geom.strategies.register()\n"
        "print('vtcrs' in repr(st.from_type(s2geom.VTCR_EL2)))\n"
    )

    assert "False\nTrue" == run(code, HYPOTHESIS_NO_PLUGINS="1")


def test_types_defined_before_are_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry point offers each of them; without the package there are none."""
    offered: list[type] = []
    monkeypatch.setattr(_s2geom_hypothesis, "offer", offered.append)
    assert s2.Geometry.__name__ == "Geometry"

    _s2geom_hypothesis.register()

    assert s2.Geometry in offered
    assert s2.S2GeomError not in offered

    offered.clear()
    monkeypatch.delitem(sys.modules, "s2geom.core.public")
    _s2geom_hypothesis.register()

    assert offered == []


def test_a_type_without_a_strategy_is_left_to_hypothesis() -> None:
    """It makes the values from the arguments, as of any other class."""

    class Pair:
        def __init__(self, left: bool) -> None:
            self.left = left

    _s2geom_hypothesis.offer(Pair)

    assert "builds(Pair" in repr(st.from_type(Pair)).replace(f"{__name__}.", "")
    s2st.register()
    assert "vtcrs" in repr(st.from_type(s2.VTCR_EL2))
