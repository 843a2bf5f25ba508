# SPDX-License-Identifier: MIT
"""The built page, and a browser that shows it."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser.chromium import Chromium, chromium, find_chromium

DOCS = Path(__file__).parent.parent.parent / "docs"

BUILT_FROM = (*DOCS.glob("*.py"), DOCS / "_static", DOCS / "calculator.md")
"""What the page needs of the documentation."""


def missing() -> str | None:
    """Tell what is not here; `None` when the tests can run."""
    if not find_chromium():
        return "needs Chromium (Debian package chromium)"
    if not all(map(importlib.util.find_spec, ("sphinx", "furo", "myst_parser"))):
        return "needs the documentation's tools (dependency group docs)"
    return None


@pytest.fixture(scope="session")
def executable() -> str:
    """Return the browser; skip without one, and fail where all must be there."""
    reason = missing()
    if reason and os.environ.get("S2GEOM_ALL") == "1":
        pytest.fail(f"S2GEOM_ALL=1 and the calculator's test {reason}", pytrace=False)
    if reason:
        pytest.skip(f"the calculator's test {reason}")
    return find_chromium() or ""


@pytest.fixture(scope="session")
def page(executable: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Build the page by itself, and return its address."""
    assert executable
    source, site = tmp_path_factory.mktemp("docs"), tmp_path_factory.mktemp("site")
    for needed in BUILT_FROM:
        copy = shutil.copytree if needed.is_dir() else shutil.copy
        copy(needed, source / needed.name)
    # The pages it links to are not here, so warnings are left to the whole build.
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-q", "-b", "html"),
            *("-D", "root_doc=calculator", str(source), str(site)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    return (site / "calculator.html").as_uri()


@pytest.fixture(scope="session")
def started(
    executable: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Chromium]:
    """Start the browser once for all tests."""
    with chromium(executable, tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture
def browser(started: Chromium, page: str) -> Iterator[Chromium]:
    """Open the page; whatever a test does, it asks for files alone and is content."""
    started.look(width=1280, height=900, dark=False)
    started.open(page)
    yield started
    assert [] == [
        address
        for address in started.requests()
        if not address.startswith(("file:", "data:", "about:blank"))
    ]
    assert [] == started.complaints()
