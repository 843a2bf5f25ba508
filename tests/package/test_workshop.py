# SPDX-License-Identifier: MIT
"""The workshop: what is said once and used in two places agrees."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CI = ROOT / ".ci" / "run"

PYTHONS = ["3.11", "3.12", "3.13", "3.14", "3.15"]


def project() -> dict[str, object]:
    """Return the project table of pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    table: dict[str, object] = tomllib.loads(text)["project"]
    return table


def test_the_gate_and_the_metadata_name_the_same_pythons() -> None:
    """Classifiers, the gate's loop and the workflow's matrix."""
    classifiers = project()["classifiers"]
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    [loop] = re.findall(r"S2GEOM_PYTHONS:-([^}]+)\}", CI.read_text(encoding="utf-8"))
    [matrix] = re.findall(r"python: \[(.*)\]", workflow)

    assert isinstance(classifiers, list)
    assert PYTHONS == [
        each.rpartition(" ")[2]
        for each in classifiers
        if re.search(r":: 3\.\d+$", each)
    ]
    assert PYTHONS == loop.split()
    assert PYTHONS == re.findall(r"[\d.]+", matrix)


def test_every_step_of_the_gate_is_documented_and_in_the_workflow() -> None:
    """`.ci/run`'s head, its list of steps, the page for contributors, the workflow."""
    text = CI.read_text(encoding="utf-8")
    [listed] = re.findall(r"^steps=\((.*)\)$", text, re.MULTILINE)
    steps = set(listed.split())
    page = (ROOT / "docs/contributing.md").read_text(encoding="utf-8")
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    [matrix] = re.findall(r"step: \[(.*)\]", workflow)

    assert steps == set(re.findall(r"^step_(\w+)\(\)", text, re.MULTILINE))
    assert steps == set(re.findall(r"^#   (\w+) ", text, re.MULTILINE))
    assert steps == set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert steps - {"pythons"} == set(matrix.split(", "))


def test_actions_are_pinned_by_commit() -> None:
    """A tag can be moved; forty hexadecimal digits cannot."""
    uses = [
        line
        for file in (ROOT / ".github/workflows").glob("*.yml")
        for line in re.findall(r"uses: (.*)", file.read_text(encoding="utf-8"))
    ]

    assert len(uses) > 5
    assert [] == [
        line for line in uses if not re.fullmatch(r"\S+@[0-9a-f]{40} # v[\d.]+", line)
    ]


def test_the_readme_has_one_command_for_the_tests() -> None:
    """One line that makes its environment and runs pytest; the gate runs it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^python3 -m venv .*", text, re.MULTILINE)

    assert 2 == len(commands)
    assert 1 == sum("pytest" in command for command in commands)


def test_every_folder_of_tests_has_its_place_in_the_order() -> None:
    """A folder without a place would run last, after the emulators."""
    text = (ROOT / "tests/conftest.py").read_text(encoding="utf-8")
    [order] = re.findall(r"^ORDER = \((.*?)^\)", text, re.MULTILINE | re.DOTALL)
    folders = {test.parent.name for test in (ROOT / "tests").glob("*/test_*.py")}

    assert folders <= set(re.findall(r'"(\w+)"', order))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A project with this one's conftest and three tests, the last folder first."""
    for folder, mark in (("emulated", ""), ("cpu", "slow"), ("core", "")):
        file = tmp_path / "tests" / folder / f"test_{folder}.py"
        file.parent.mkdir(parents=True)
        decorated = f"@pytest.mark.{mark}\n" if mark else ""
        file.write_text(
            f"import pytest\ndef test_fast(): pass\n{decorated}def test_it(): pass\n",
            encoding="utf-8",
        )
    shutil.copy(ROOT / "tests/conftest.py", tmp_path / "tests/conftest.py")
    ini = "[pytest]\nmarkers = slow\ntestpaths = tests\n"
    (tmp_path / "pytest.ini").write_text(ini, encoding="utf-8")
    return tmp_path


EMULATED = [
    "emulated/test_emulated.py::test_fast",
    "emulated/test_emulated.py::test_it",
]
CORE = ["core/test_core.py::test_fast", "core/test_core.py::test_it"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "all_of_them", "expected", "said"),
    [
        (
            [],
            "",
            [*CORE, "cpu/test_cpu.py::test_fast"],
            "left out: 1 slow enumerations, 2 tests on emulated CPUs; ",
        ),
        (
            ["-n2"],
            "",
            [*CORE, "cpu/test_cpu.py::test_fast"],
            "left out: 1 slow enumerations, 2 tests on emulated CPUs; ",
        ),
        (
            ["tests/emulated", "tests/core"],
            "",
            [*CORE, *EMULATED],
            "",
        ),
        (["tests/cpu/test_cpu.py::test_it"], "", ["cpu/test_cpu.py::test_it"], ""),
        (
            [],
            "1",
            [
                *CORE,
                "cpu/test_cpu.py::test_fast",
                "cpu/test_cpu.py::test_it",
                *EMULATED,
            ],
            "",
        ),
    ],
)
def test_what_runs_and_in_which_order(
    small: Path, arguments: list[str], all_of_them: str, expected: list[str], said: str
) -> None:
    """The core first, the emulators last; slow tests where named or wanted."""
    environment = {**os.environ, "S2GEOM_ALL": all_of_them}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", *arguments],
        cwd=small,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )

    ran = re.findall(r"tests/(\S+::test_\w+)", done.stdout)
    if "-n2" in arguments:
        ran = sorted({*ran}, key=[*CORE, *EMULATED, *ran].index)
    assert expected == ran
    assert said in done.stdout
    assert ("left out" in done.stdout) is bool(said)
