# SPDX-License-Identifier: MIT
"""What pytest shows of a failing `check_walker`, and the script that it ends in."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"

WALKER = """
def my_walk(geometry, root, ipa, read):
    table = root
    for level in geometry.table_levels:
        index = ipa >> level.shift & (level.entries - 1)
        word = int.from_bytes(read(table + 8 * index, 8), "little")
        if not word & 1:
            return None
        is_leaf = level.number == 3 or not word & 2
        if is_leaf and level.leaf != ("page" if word & 2 else "block"):
            return None
        shift = level.shift if is_leaf else geometry.page_shift
        table = word & 0xFFFF_FFFF_FFFF & -(1 << shift)
        if is_leaf:
            return table | ipa & ((1 << shift) - 1)
"""

BUILDER = """
import s2geom as s2

def my_build(geometry, base, mappings):
    tables = s2.TableBuilder(geometry, base)
    for ipa, pa, size, attributes in mappings:
        tables.map(ipa, pa, size, attributes=attributes)
    return tables.images()
"""

TEST = """
import s2geom as s2
from s2geom.strategies import check_builder, check_walker
from mine import *

SHAPES = [s2.stage2(14, 40, 36)]

def test_mine():
    {call}
"""

CASES = {
    "walker": (
        WALKER,
        ("level.entries - 1", "geometry.granule.entries - 1"),
        "check_walker(my_walk, geometries=SHAPES)",
    ),
    "walker that raises": (
        WALKER,
        ("table = root", "table = root\n    1 // (ipa != 0)"),
        "check_walker(my_walk, geometries=SHAPES)",
    ),
    "builder": (
        BUILDER,
        ("attributes=attributes", ""),
        "check_builder(my_build, geometries=SHAPES)",
    ),
    "builder that raises": (
        BUILDER,
        ("tables.images()", "tables.images"),
        "check_builder(my_build, geometries=SHAPES)",
    ),
}
"""Code, the text of it that a bug changes, and the line that tests it."""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with warnings as errors, as at a user's desk.

    Where CI is set, pytest shows the message a second time, in its summary.
    """
    kept = {name: value for name, value in os.environ.items() if name != "CI"}
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**kept, "HYPOTHESIS_NO_PLUGINS": "1"},
    )


def shown_by_pytest(folder: Path, code: str, call: str) -> str:
    """Return what pytest prints of a test of the code, which fails."""
    (folder / "mine.py").write_text(code, "utf-8")
    (folder / "test_mine.py").write_text(TEST.format(call=call), "utf-8")
    return run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider").stdout


def message_in(shown: str) -> list[str]:
    """Return the lines of the message, without what pytest writes before each."""
    return [text[7:] for text in re.findall(r"^E(.*)$", shown, re.MULTILINE)]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=pytest.mark.slow) if "raises" in case else case
        for case in CASES
    ],
)
def test_a_failure_is_shown_as_a_message_with_a_script_that_fails(
    tmp_path: Path, case: str
) -> None:
    """No line of the package stands before the message; mended code runs through."""
    right, bug, call = CASES[case]

    shown = shown_by_pytest(tmp_path, right.replace(*bug), call)
    failure = message_in(shown.rpartition(f"{call}\n")[2])
    script = "\n".join(failure[failure.index("") :])
    (tmp_path / "script.py").write_text(script, "utf-8")
    failed = run(tmp_path, "script.py")
    (tmp_path / "mine.py").write_text(right, "utf-8")
    mended = run(tmp_path, "script.py")

    assert failure[0].startswith("AssertionError: ")
    assert "suites.py" not in shown
    assert "hypothesis" not in shown
    assert len(shown.splitlines()) < 50
    assert 1 == failed.returncode
    why = failed.stderr.splitlines()[-1].partition(": ")[2]
    assert all(part in failure[0] for part in why.split(", got "))
    assert (0, "", "") == (mended.returncode, mended.stdout, mended.stderr)


@pytest.mark.skipif(shutil.which("sed") is None, reason="needs sed")
def test_the_command_on_the_page_keeps_the_script(tmp_path: Path) -> None:
    """The block above it goes in, and a file that Python runs comes out."""
    text = (DOCS / "howto" / "test-your-own.md").read_text("utf-8")
    block = text.partition("```text\n")[2].partition("```")[0]
    program = text.partition("| sed -n '")[2].partition("' > again.py\n")[0]
    right, bug, _ = CASES["walker"]

    script = subprocess.run(
        ["sed", "-n", program], input=block, capture_output=True, text=True, check=True
    ).stdout
    (tmp_path / "mine.py").write_text(right.replace(*bug), "utf-8")
    (tmp_path / "again.py").write_text(script, "utf-8")
    failed = run(tmp_path, "again.py")

    assert script.startswith("from s2geom import ")
    assert failed.stderr.endswith("AssertionError: must return None, got 0x0\n")


def test_the_page_shows_what_pytest_shows(tmp_path: Path) -> None:
    """The same example, with the same script."""
    text = (DOCS / "howto" / "test-your-own.md").read_text("utf-8")
    block = text.partition("```text\n")[2].partition("```")[0]
    right, bug, call = CASES["walker"]

    shown = shown_by_pytest(tmp_path, right.replace(*bug), call)

    assert message_in(shown) == message_in(block)
