# SPDX-License-Identifier: MIT
"""Change a module in every way that cosmic-ray knows, and see that a test notices.

By hand, and one module at a time: ``python tests/mutants.py core.geometry``. What
survives is compared with what ``docs/explanation/mutants.md`` explains. A survivor that
it does not explain, or an explanation of none, is told and makes the exit code 1.

The sources stay as they are. Each mutant lives in a fork of this process, which has
loaded pytest and hypothesis by then, and is imported from memory: so it costs as much
as its tests, and no start of Python. The slow tests are asked where the fast ones
notice nothing.
"""

import argparse
import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType

import parso
import pytest
from attrs import frozen
from cosmic_ray.ast import ast_nodes
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from package.scopes import scope

WARM = ("hypothesis.strategies", "numpy")
"""What takes longest to load, and is there before the first fork."""

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "explanation" / "mutants.md"

LONGEST = 120
"""Seconds after which a mutant counts as noticed: it never ends."""


@frozen
class Tests:
    """What must notice a mutant of a module: files or tests, below ``tests``."""

    fast: tuple[str, ...]
    slow: tuple[str, ...]


NAMES = ("package/test_api.py", "package/test_house.py")
WORDS = Tests(
    (
        "registers/test_vtcr_and_vttbr.py",
        "registers/test_words_explained.py",
        "registers/test_lint.py",
        *NAMES,
    ),
    ("registers/test_ste.py",),
)
CPU = Tests(
    ("cpu/test_cpu.py", "cpu/test_id_registers.py", *NAMES),
    (
        "cpu/test_start_level_window.py",
        "compare/test_disagreements.py",
        "compare/test_policies.py",
    ),
)
NUMBERS = (
    "kernel/test_thread.py",
    "kernel/test_kernel_numbers.py",
    "package/test_laws.py",
)

MODULES = {
    "core.address_form": Tests(
        ("core/test_address_form.py", "core/test_geometry.py"), ("cpu/test_cpu.py",)
    ),
    "core.geometry": Tests(
        ("core/test_geometry.py", *NAMES), (*NUMBERS, "cpu/test_cpu.py")
    ),
    "kernel.choose": Tests(
        ("kernel/test_choose.py", "core/test_numbers.py", *NAMES),
        (*NUMBERS, "kernel/test_second_derivation.py"),
    ),
    "kernel.host": Tests(
        ("kernel/test_choose.py", *NAMES),
        (*NUMBERS, "kernel/test_second_derivation.py"),
    ),
    "kernel.limits": Tests(
        ("kernel/test_limits.py", "kernel/test_choose.py"),
        (*NUMBERS, "kernel/test_second_derivation.py"),
    ),
    "kernel.question": Tests(
        ("kernel/test_limits.py", "kernel/test_choose.py"),
        (*NUMBERS, "kernel/test_second_derivation.py"),
    ),
    "cpu.cpu": CPU,
    "cpu.rules": CPU,
    "cpu.sizes": CPU,
    "registers.nested_dump": WORDS,
    "registers.root": WORDS,
    "registers.shape_fields": WORDS,
    "registers.vtcr": WORDS,
    "registers.vttbr": WORDS,
}


@frozen
class Mutant:
    """One change: an operator of cosmic-ray, and its how-manieth place."""

    operator: str
    occurrence: int
    place: str
    line: str

    @property
    def key(self) -> tuple[str, str]:
        """Place and operator, as the page names them."""
        name = self.operator.partition("/")[2]
        for dull in ("ReplaceBinaryOperator_", "ReplaceComparisonOperator_", "Replace"):
            name = name.removeprefix(dull)
        return self.place, name


def mutants(source: str) -> Iterator[Mutant]:
    """Return every change of a source."""
    tree = parso.parse(source)
    lines = source.splitlines()
    for name in operator_names():
        try:
            operator = get_operator(name)()
        except TypeError:  # one that is told what to replace, which nobody did
            continue
        places = [
            start
            for node in ast_nodes(tree)
            for start, _ in operator.mutation_positions(node)
        ]
        for occurrence, (row, _) in enumerate(places):
            line = lines[row - 1].strip()
            yield Mutant(name, occurrence, scope(source, row), line)


@frozen(eq=False)
class FromMemory(MetaPathFinder, Loader):
    """Imports one module from a text."""

    name: str
    path: Path
    code: str

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Return how to import the module, and nothing for any other."""
        if fullname != self.name:
            return None
        return spec_from_loader(fullname, self, origin=str(self.path))

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to Python."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the text as if it came from the file."""
        module.__file__ = str(self.path)
        exec(compile(self.code, str(self.path), "exec"), vars(module))  # noqa: S102


def passes(tests: Sequence[str]) -> bool:
    """Run tests in this process."""
    for name in [name for name in sys.modules if name.startswith("test")]:
        del sys.modules[name]
    paths = [str(ROOT / "tests" / test) for test in tests]
    quiet = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:warnings"]
    return pytest.main([*quiet, "-c", str(ROOT / "pyproject.toml"), *paths]) == 0


def fork(module: str, code: str, tests: Tests) -> int:
    """Start the tests of a mutant; its process exits with 0 if they notice nothing."""
    child = os.fork()
    if child:
        return child
    path = file_of(module)
    sys.meta_path.insert(0, FromMemory(f"s2geom.{module}", path, code))
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    signal.alarm(LONGEST)
    unnoticed = False
    try:
        unnoticed = passes(tests.fast) and passes(tests.slow)
    finally:
        os._exit(0 if unnoticed else 1)


def unnoticed(child: int) -> bool:
    """Wait for a mutant's tests."""
    _, status = os.waitpid(child, 0)
    return os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0


def file_of(module: str) -> Path:
    """Return the source file of a module."""
    return ROOT.joinpath("src", "s2geom", *module.split(".")).with_suffix(".py")


def explained(module: str) -> set[tuple[str, str]]:
    """Return place and operator of the survivors that the page explains."""
    page = PAGE.read_text(encoding="utf-8")
    lines = rf"^{re.escape(module)} +(\S+) +([A-Z]\w+)$"
    return {(place, name) for place, name in re.findall(lines, page, re.MULTILINE)}


def survivors(module: str) -> Iterator[Mutant]:
    """Return the mutants of a module that no test notices."""
    tests = MODULES[module]
    source = file_of(module).read_text(encoding="utf-8")
    if not unnoticed(fork(module, source, tests)):
        raise SystemExit(f"the tests of {module} fail as it is")
    for mutant in mutants(source):
        operator = get_operator(mutant.operator)()
        code = mutate_code(source, operator, mutant.occurrence)
        if code not in {None, source} and unnoticed(fork(module, code, tests)):
            yield mutant


def main() -> int:
    """Try a module's mutants, and compare the survivors with the page."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("module", choices=MODULES)
    module = reader.parse_args().module
    os.chdir(ROOT)
    os.environ["CI"] = "1"  # nothing random
    # What is loaded before the first fork is not imported from memory: hypothesis
    # would load our strategies, and with them everything.
    os.environ["HYPOTHESIS_NO_PLUGINS"] = "1"
    for name in WARM:
        import_module(name)
    assert not [name for name in sys.modules if name.startswith("s2geom")]
    began = time.monotonic()
    known, found = explained(module), set()
    for mutant in survivors(module):
        found.add(mutant.key)
        verdict = "explained  " if mutant.key in known else "UNEXPLAINED"
        print(verdict, *mutant.key, ":", mutant.line)
    for lost in sorted(known - found):
        print("NOTICED    ", *lost)
    print(f"{module}: {len(found)} survivors, {time.monotonic() - began:.0f} s")
    return int(known != found)


if __name__ == "__main__":
    sys.exit(main())
