# SPDX-License-Identifier: MIT
"""The house: wings, what each may import, and names that stand where they are promised.

The law itself is a table in `law`; here the package is held to it.
"""

import ast
import importlib
import json
import subprocess
import sys
import types

import pytest
from package.law import (
    DOORS,
    MOST_ROOMS,
    ROOT,
    SOURCE,
    WINGS,
    circles,
    faults,
    modules,
)

import s2geom

MODULES = modules()
ROOMS = [name for name in MODULES if "." in name]

NOT_AT_IMPORT = (
    "argparse",
    "html",
    "xml",
    "hypothesis",
    "pandas",
    "polars",
    "numpy",
    "matplotlib",
    "IPython",
)


def fresh(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout


# Wings


def test_every_module_is_in_a_wing() -> None:
    """Nothing stands beside the wings but the two doors."""
    assert {*WINGS, *DOORS} == {name for name in MODULES if "." not in name}
    assert {*WINGS} == {room.partition(".")[0] for room in ROOMS}


@pytest.mark.parametrize("module", MODULES)
def test_imports_follow_the_law_of_wings(module: str) -> None:
    """A module imports rooms of its own wing and of the wings below it."""
    assert [] == faults(module, MODULES[module], MODULES)


def test_no_circle_between_modules() -> None:
    """No two modules import each other, and no two wings do."""
    assert [] == circles(MODULES)

    seen: set[str] = set()
    for wing, below in WINGS.items():
        assert below <= seen, wing
        seen.add(wing)


@pytest.mark.parametrize("wing", WINGS)
def test_a_wing_has_at_most_a_dozen_rooms(wing: str) -> None:
    """More rooms than that are more than one subject."""
    assert MOST_ROOMS >= sum(room.startswith(f"{wing}.") for room in ROOMS)


FORBIDDEN = [
    ("core.geometry", "from s2geom.cpu.cpu import Cpu"),
    ("core.display", "def draw():\n    from s2geom.show.notebook import mimebundle"),
    ("cpu.cpu", "from s2geom.kernel.limits import RULES"),
    ("registers.vtcr", "import s2geom.tables.descriptor"),
    ("kernel.choose", "from s2geom.kconfig.kernel_config import KernelConfig"),
    ("tables.walk", "from s2geom.build.builder import TableBuilder"),
    ("build.builder", "from s2geom import Geometry"),
    ("show.notebook", "from s2geom.cli import report"),
    ("compare.survey", "from s2geom import kernel"),
    ("tables.scan", "import numpy as np"),
    ("tables.walk", "from s2geom.readers.image import raw"),
    ("readers.image", "from s2geom.registers.vtcr import VTCR_EL2"),
    ("kernel.leaf", "from .choose import Host"),
    ("strategies.words", "from s2geom.show.svg import Drawing"),
]
"""Imports that the law forbids, each in the module that must not have it."""


@pytest.mark.parametrize(("module", "line"), FORBIDDEN)
def test_a_forbidden_import_is_found(module: str, line: str) -> None:
    """A forbidden import is reported: the test of the law can fail."""
    assert module in MODULES

    [fault] = faults(module, f"{MODULES[module]}\n{line}\n", MODULES)

    assert fault.startswith(f"{module} imports ")


def test_a_circle_is_found() -> None:
    """Two rooms of one wing must not need each other, even inside a function."""
    line = "def late():\n    from s2geom.core.geometry import Geometry\n"
    fed = {**MODULES, "core.address_form": f"{MODULES['core.address_form']}\n{line}"}

    assert [["core.address_form", "core.geometry"]] == [
        sorted(circle) for circle in circles(fed)
    ]


# Sources


@pytest.mark.parametrize("module", MODULES)
def test_a_source_begins_with_its_licence_and_its_purpose(module: str) -> None:
    """An SPDX line, then what the module is for."""
    text = MODULES[module]

    assert text.startswith("# SPDX-License-Identifier: MIT\n")
    assert (ast.get_docstring(ast.parse(text)) or "").strip()


@pytest.mark.parametrize("wing", WINGS)
def test_a_wing_introduces_itself_and_imports_no_room(wing: str) -> None:
    """Some ten lines say what is in it, and every room of it is named there."""
    text = MODULES[wing]
    said = ast.get_docstring(ast.parse(text)) or ""

    assert 5 <= len(said.splitlines()) <= 20
    assert "New here: " in said
    for room in ROOMS:
        if room.startswith(f"{wing}."):
            assert f"`{room.partition('.')[2]}`" in said, room


def test_every_python_file_has_its_licence() -> None:
    """Every Python file of tests and documentation has the SPDX line."""
    missing = [
        path.relative_to(ROOT).as_posix()
        for folder in ("src", "tests", "docs")
        for path in (ROOT / folder).rglob("*.py")
        if not path.read_text(encoding="utf-8").startswith(
            "# SPDX-License-Identifier: MIT\n"
        )
    ]

    assert [] == missing


def test_no_two_classes_have_one_name() -> None:
    """A name means one thing in the whole package, private ones included."""
    homes: dict[str, list[str]] = {}
    for module, text in MODULES.items():
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(module)

    assert {} == {name: where for name, where in homes.items() if len(where) > 1}


def test_no_two_modules_define_one_name() -> None:
    """Constants and functions that other modules may import have one home each.

    Private names aside, and what every package with a door has.
    """
    homes: dict[str, set[str]] = {}
    for module, text in MODULES.items():
        for node in ast.parse(text).body:
            for name in _defined(node):
                if not name.startswith("_"):
                    homes.setdefault(name, set()).add(module)

    assert {"bits", "LIMITS", "stage2"} <= homes.keys()
    assert {} == {name: where for name, where in homes.items() if len(where) > 1}


def _defined(node: ast.stmt) -> list[str]:
    """Return the names that a statement of a module defines, imports aside."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.AnnAssign) and node.value is None:
        return []
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return [
        part.id
        for target in targets
        if isinstance(target, ast.AST)
        for part in ast.walk(target)
        if isinstance(part, ast.Name)
    ]


# What an import loads


def test_an_import_loads_nothing_yet() -> None:
    """Only the door and its hook, and no library that a notebook might have."""
    code = "import s2geom, sys, json; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(fresh(code)))

    assert {"s2geom", "s2geom.core", "s2geom.core.display", "s2geom.core.public"} == {
        name for name in loaded if name.startswith("s2geom")
    }
    assert set() == loaded & set(NOT_AT_IMPORT)


def test_a_shape_loads_the_core_alone() -> None:
    """A shape loads neither the parser nor the pictures nor the walker."""
    code = (
        "import s2geom, sys, json; s2geom.stage2(14, 40, 36); "
        "print(json.dumps(sorted(sys.modules)))"
    )
    loaded = set(json.loads(fresh(code)))
    ours = {name.removeprefix("s2geom.") for name in loaded if "s2geom." in name}

    assert set() == loaded & set(NOT_AT_IMPORT)
    assert {"kernel.choose", "core.geometry"} <= ours
    assert {"core", "cpu", "kernel"} == {name.partition(".")[0] for name in ours}


def test_every_module_can_be_the_first_one_asked_for() -> None:
    """Nothing works only because another name was used before."""
    first_names = {module: name for name, module in s2geom._HOMES.items()}  # noqa: SLF001
    code = (
        "import importlib, sys\n"
        f"for name in {sorted(first_names.values())}:\n"
        "    for module in [m for m in sys.modules if m.startswith('s2geom')]:\n"
        "        del sys.modules[module]\n"
        "    package = importlib.import_module('s2geom')\n"
        "    assert getattr(package, name) is getattr(package, name), name\n"
        "    print(name)\n"
    )

    assert sorted(first_names.values()) == fresh(code).split()


def test_a_star_import_gives_every_name() -> None:
    """A star import gives the public names and nothing else."""
    code = (
        "before = set(globals()) | {'before'}\n"
        "from s2geom import *\n"
        "import json\n"
        "print(json.dumps(sorted(set(globals()) - before - {'json'})))\n"
    )

    assert sorted(s2geom.__all__) == json.loads(fresh(code))


# Names


@pytest.mark.parametrize("name", s2geom.__all__)
def test_public_names_have_module_s2geom(name: str) -> None:
    """Wherever it is written: so tracebacks and pickles say ``s2geom.Geometry``."""
    thing = getattr(s2geom, name)

    assert not isinstance(thing, types.ModuleType)
    if isinstance(thing, type | types.FunctionType):
        assert ("s2geom", name) == (thing.__module__, thing.__name__)


def test_no_public_name_is_a_wings_name() -> None:
    """A wing of the same name would replace a public name when it is imported."""
    assert set() == set(s2geom.__all__) & set(WINGS)


@pytest.mark.parametrize("door", ["", "kconfig", "readers", "strategies"])
def test_type_checkers_are_told_the_same_names(door: str) -> None:
    """What a door loads at first use is what its typed block imports."""
    typed: dict[str, str] = {}
    for block in ast.parse(MODULES[door]).body:
        if isinstance(block, ast.If):
            for each in block.body:
                if isinstance(each, ast.ImportFrom):
                    [alias] = each.names
                    assert alias.name == alias.asname
                    typed[alias.name] = str(each.module)

    package = importlib.import_module(f"s2geom.{door}".rstrip("."))
    for name, home in typed.items():
        room = importlib.import_module(home)

        assert getattr(package, name) is getattr(room, name)
    if door != "kconfig":
        assert sorted(typed) == package.__all__


@pytest.mark.parametrize("module", ["kconfig", "readers", "strategies"])
def test_a_promised_module_is_there_without_an_import_of_its_own(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``s2geom.kconfig`` works after ``import s2geom`` alone."""
    said = fresh(f"import s2geom; print(s2geom.{module}.__name__)")

    assert f"s2geom.{module}\n" == said
    loaded = importlib.import_module(f"s2geom.{module}")
    monkeypatch.delattr(s2geom, module)
    assert loaded is getattr(s2geom, module)


def test_a_name_that_is_not_there() -> None:
    """The usual sentence, and the usual exception, so `hasattr` works."""
    with pytest.raises(AttributeError) as caught:
        getattr(s2geom, "nothing")  # noqa: B009 - no type checker lets it pass

    assert "module 's2geom' has no attribute 'nothing'" == str(caught.value)
    assert not hasattr(s2geom, "__wrapped__")


def test_dir_lists_the_public_names() -> None:
    """What completion in a notebook shows: used before or not."""
    assert sorted(s2geom.__all__) == dir(s2geom)


@pytest.mark.parametrize("name", ["kconfig", "readers", "strategies"])
def test_the_promised_modules(name: str) -> None:
    """`kconfig`, `readers` and `strategies` can be imported by name."""
    assert isinstance(importlib.import_module(f"s2geom.{name}"), types.ModuleType)


def test_the_package_is_typed() -> None:
    """The package has the marker `py.typed`."""
    assert (SOURCE / "py.typed").is_file()
