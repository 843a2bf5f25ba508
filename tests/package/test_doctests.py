# SPDX-License-Identifier: MIT
"""Every example of the docstrings and of the pages is run."""

import doctest
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import s2geom

ROOT = Path(__file__).parents[2]

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(s2geom.__path__, "s2geom.")
    if module.name not in {"s2geom.__main__", "s2geom.in_gdb.script"}
)
"""All but those that run when they are imported."""

BUILT = {"_build", "_generated", "api"}
"""Folders of the documentation that are made from the rest."""

PAGES = sorted(
    page
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    if not BUILT & {*page.relative_to(ROOT).parts}
)


def docstrings() -> Iterator[doctest.DocTest]:
    """Yield the examples of every module, class and function of ours.

    A public thing says that it is of ``s2geom``, wherever it is written, so each module
    is looked through for what says that it is of this package.
    """
    finder = doctest.DocTestFinder()
    parser = doctest.DocTestParser()
    public = {name: getattr(s2geom, name) for name in s2geom.__all__}
    seen = set()
    for module_name in ("s2geom", *MODULES):
        module = importlib.import_module(module_name)
        text = module.__doc__ or ""
        yield parser.get_doctest(text, {}, module_name, module.__file__, 0)
        for name, thing in vars(module).items():
            home = str(getattr(thing, "__module__", ""))
            ours = home == "s2geom" or home.startswith("s2geom.")
            is_kind = inspect.isclass(thing) or inspect.isfunction(thing)
            if not (ours and is_kind) or id(thing) in seen:
                continue
            seen.add(id(thing))
            names = public | vars(importlib.import_module(home))
            yield from finder.find(thing, name, module=False, globs=names)


def page_examples(page: Path) -> doctest.DocTest:
    """Return the examples of a page, which share their names from top to bottom."""
    text = re.sub(
        r"^ *```.*$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    name = page.relative_to(ROOT).as_posix()
    return doctest.DocTestParser().get_doctest(text, {}, name, str(page), 0)


def failures(test: doctest.DocTest) -> str:
    """Run the examples, and return what is wrong with them."""
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    return "".join(said)


EXAMPLES = [test for test in docstrings() if test.examples]


@pytest.mark.parametrize("test", EXAMPLES, ids=lambda test: test.name)
def test_a_docstring(test: doctest.DocTest) -> None:
    """What a docstring shows is what Python prints."""
    wrong = failures(test)

    assert not wrong, wrong


@pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_a_page(page: Path) -> None:
    """What a page shows is what Python prints, from its top to its bottom."""
    wrong = failures(page_examples(page))

    assert not wrong, wrong


def test_the_examples_are_found() -> None:
    """The front page's and those of the core; else the tests above could be empty."""
    names = {test.name for test in EXAMPLES}

    assert {
        "s2geom",
        "Geometry",
        "Geometry.split",
        "Granule",
        "Granule.parse",
        "Host",
        "Scheme",
        "check",
        "fake_pgd",
        "hw_pgtable_level_shift",
        "hw_pgtable_levels",
        "kernel_macros",
        "leaf_size",
        "stage2",
    } <= names
    assert len(page_examples(ROOT / "README.md").examples) > 5


def test_every_public_callable_is_documented() -> None:
    """Every public function, method and property has a docstring."""
    for name in s2geom.__all__:
        thing = getattr(s2geom, name)
        if not callable(thing):
            continue

        assert (inspect.getdoc(thing) or "").strip(), name
        if inspect.isclass(thing):
            for member, each in vars(thing).items():
                is_own = isinstance(
                    each, property | classmethod | staticmethod
                ) or inspect.isfunction(each)
                if is_own and not member.startswith("_"):
                    assert inspect.getdoc(each), f"{name}.{member}"


def test_every_public_function_of_the_core_has_an_example_and_a_source() -> None:
    """Meaning, what is raised, where the fact is from, and a session."""
    for name in (
        "fake_pgd",
        "hw_pgtable_level_shift",
        "hw_pgtable_levels",
        "kernel_macros",
        "leaf_size",
        "stage2",
    ):
        text = inspect.getdoc(getattr(s2geom, name)) or ""

        for part in ("Args:", "Raises:", "Source:", ">>> "):
            assert part in text, name
