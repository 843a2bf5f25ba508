# SPDX-License-Identifier: MIT
"""The house: imports run downward, names stand where they are promised."""

import ast
import importlib
import json
import pkgutil
import subprocess
import sys
import types
from functools import cache
from pathlib import Path

import pytest

import s2geom

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "s2geom"

FLOORS = (
    ["_public", "errors", "_arguments", "_display", "granule", "units"],
    ["geometry", "hw_pgtable", "scheme", "fake", "rules", "architecture"],
    ["kvm_rules", "kvm", "macros", "leaf", "dotconfig", "releases", "kconfig"],
    ["fields", "walk_fields", "table_base", "registers", "id_registers", "smmu"],
    ["policies"],
    ["descriptor", "memory", "_regime", "_scan", "walker"],
    ["_words", "_cover", "_tree", "builder", "weigh"],
    ["svg", "tabulate", "render", "strategies"],
    ["report", "memory_map", "asking", "ask_kernel", "ask_cpu", "ask_tables"],
    ["cli", "__main__"],
)
"""Every module, from what knows nothing to what knows everything: the kernel above the
shapes, words of bits above the kernel, tables above the words, pictures above all."""

ORDER = [module for floor in FLOORS for module in floor]

UPWARD = {("_display", "render")}
"""What is imported at the moment when it is asked for, and looks upward."""

BOTTOM = {"_public", "errors", "_arguments", "granule"}
"""Below these there is nothing but each other."""

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

MODULES = sorted(module.name for module in pkgutil.iter_modules([str(SOURCE)]))


@cache
def tree_of(module: str) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse((SOURCE / f"{module}.py").read_text(encoding="utf-8"))


def imports(module: str) -> set[str]:
    """Return every module that a module imports, at whatever depth of its code."""
    found = set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            assert node.module is not None
            # "from s2geom import kvm" names a module, "from s2geom import Host" not.
            found |= {
                f"s2geom.{alias.name}" if alias.name in MODULES else "s2geom"
                for alias in node.names
                if node.module == "s2geom"
            } or {node.module}
    return found


def own_imports(module: str) -> set[str]:
    """Return the modules of ours that a module imports."""
    return {
        name.removeprefix("s2geom.")
        for name in imports(module)
        if name.startswith("s2geom.")
    }


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


# Modules


def test_every_module_has_its_place() -> None:
    """A new module is put into the order above, where it belongs."""
    assert sorted(ORDER) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_downward(module: str) -> None:
    """A module imports what stands before it, and nothing else of ours."""
    below = set(ORDER[: ORDER.index(module)])
    upward = {target for name, target in UPWARD if name == module}

    assert own_imports(module) <= below | upward
    assert upward <= own_imports(module)


def test_no_module_imports_the_package_itself() -> None:
    """The front door is for users; inside, each module says what it needs."""
    assert {"strategies"} >= {
        module for module in MODULES if "s2geom" in imports(module)
    }


@pytest.mark.parametrize("module", sorted(BOTTOM))
def test_the_bottom_knows_nothing_of_ours(module: str) -> None:
    """Errors, numbers and page sizes stand on Python alone."""
    assert own_imports(module) <= BOTTOM


def test_the_shape_knows_no_kernel_and_no_cpu() -> None:
    """`geometry` is arithmetic, and `architecture` knows no kernel."""
    kernels = {"kvm_rules", "kvm", "scheme", "fake"}
    assert not {"architecture", *kernels} & own_imports("geometry")
    assert not kernels & own_imports("architecture")


def test_nothing_imports_the_command_line() -> None:
    """But its own front end."""
    assert ["__main__"] == [
        module for module in MODULES if "cli" in own_imports(module)
    ]


def test_hypothesis_is_for_the_strategies_alone() -> None:
    """And attrs is the one thing that all of it needs."""
    for module in MODULES:
        others = {
            name.partition(".")[0]
            for name in imports(module)
            if name.partition(".")[0] not in {*sys.stdlib_module_names, "s2geom"}
        }

        assert others <= {"attrs"} | (
            {"hypothesis"} if module == "strategies" else set()
        )


@pytest.mark.parametrize("module", ["__init__", *MODULES])
def test_a_source_begins_with_its_licence_and_its_purpose(module: str) -> None:
    """An SPDX line, then what the module is for."""
    text = (SOURCE / f"{module}.py").read_text(encoding="utf-8")

    assert text.startswith("# SPDX-License-Identifier: MIT\n")
    assert (ast.get_docstring(tree_of(module)) or "").strip()


def test_every_python_file_has_its_licence() -> None:
    """Tests and documentation too."""
    missing = [
        path.relative_to(ROOT).as_posix()
        for folder in ("src", "tests", "docs")
        for path in (ROOT / folder).rglob("*.py")
        if not path.read_text(encoding="utf-8").startswith(
            "# SPDX-License-Identifier: MIT\n"
        )
    ]

    assert [] == missing


def test_annotations_are_not_postponed() -> None:
    """They are evaluated, so `typing.get_type_hints` has nothing to guess."""
    assert not [module for module in MODULES if "__future__" in imports(module)]


# What an import loads


def test_an_import_loads_nothing_yet() -> None:
    """No module of ours, and no library that a notebook might have."""
    code = "import s2geom, sys, json; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(fresh(code)))

    assert {"s2geom"} == {name for name in loaded if name.startswith("s2geom")}
    assert set() == loaded & set(NOT_AT_IMPORT)


def test_a_shape_loads_the_core_alone() -> None:
    """No parser, no markup, no walker."""
    code = (
        "import s2geom, sys, json; s2geom.stage2(14, 40, 36); "
        "print(json.dumps(sorted(sys.modules)))"
    )
    loaded = set(json.loads(fresh(code)))
    ours = {name.removeprefix("s2geom.") for name in loaded if "s2geom." in name}

    assert set() == loaded & set(NOT_AT_IMPORT)
    assert {"kvm", "geometry"} <= ours
    assert set() == ours & {
        "kconfig",
        "registers",
        "walker",
        "builder",
        "render",
        "cli",
    }


def test_every_module_can_be_the_first_one_asked_for() -> None:
    """Nothing works only because another name was used before."""
    first_names = {module: name for name, module in s2geom._LATER.items()}  # noqa: SLF001
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
    """And nothing else."""
    code = (
        "before = set(globals()) | {'before'}\n"
        "from s2geom import *\n"
        "import json\n"
        "print(json.dumps(sorted(set(globals()) - before - {'json'})))\n"
    )

    assert sorted(s2geom.__all__) == json.loads(fresh(code))


# Names


@pytest.mark.parametrize("name", s2geom.__all__)
def test_a_public_name_speaks_as_the_package(name: str) -> None:
    """Wherever it is written: so tracebacks and pickles say ``s2geom.Geometry``."""
    thing = getattr(s2geom, name)

    assert not isinstance(thing, types.ModuleType)
    if isinstance(thing, type | types.FunctionType):
        assert ("s2geom", name) == (thing.__module__, thing.__name__)


def test_no_public_name_is_a_modules_name() -> None:
    """Else importing the module would put itself in the place of the name."""
    assert set() == set(s2geom.__all__) & set(MODULES)


def test_names_are_sorted_and_there_once() -> None:
    """Constants, then classes, then functions, as the linter sorts them."""
    assert len(s2geom.__all__) == len(set(s2geom.__all__))
    assert list(s2geom._LATER) == sorted(s2geom._LATER)  # noqa: SLF001


def test_the_three_lists_of_names_agree() -> None:
    """What is loaded later is what type checkers are told, and all of it is public."""
    later: dict[str, str] = {}
    for block in tree_of("__init__").body:
        if isinstance(block, ast.If):
            for each in block.body:
                assert isinstance(each, ast.ImportFrom)
                module = str(each.module).removeprefix("s2geom.")
                later |= dict.fromkeys((alias.name for alias in each.names), module)

    assert later == s2geom._LATER  # noqa: SLF001
    assert set(s2geom.__all__) == set(later)


@pytest.mark.parametrize("module", ["kconfig", "strategies"])
def test_a_promised_module_is_there_without_an_import_of_its_own(module: str) -> None:
    """``s2geom.kconfig`` works after ``import s2geom`` alone."""
    said = fresh(f"import s2geom; print(s2geom.{module}.__name__)")

    assert f"s2geom.{module}\n" == said
    assert sys.modules[f"s2geom.{module}"] is s2geom.__getattr__(module)


def test_a_name_that_is_not_there() -> None:
    """The usual sentence, and the usual exception, so `hasattr` works."""
    with pytest.raises(AttributeError) as caught:
        s2geom.nothing  # noqa: B018

    assert "module 's2geom' has no attribute 'nothing'" == str(caught.value)
    assert not hasattr(s2geom, "__wrapped__")


def test_dir_lists_the_public_names() -> None:
    """What completion in a notebook shows: used before or not."""
    assert sorted(s2geom.__all__) == dir(s2geom)
    listed = s2geom.__dir__()
    assert listed == s2geom.__all__


@pytest.mark.parametrize("name", ["kconfig", "strategies"])
def test_the_two_promised_modules(name: str) -> None:
    """The only submodules that users may name."""
    assert isinstance(importlib.import_module(f"s2geom.{name}"), types.ModuleType)


def test_the_package_is_typed() -> None:
    """The marker that type checkers look for."""
    assert (SOURCE / "py.typed").is_file()
