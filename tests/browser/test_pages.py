# SPDX-License-Identifier: MIT
"""The pages in a browser: nothing is cut off, and nothing leaves its column."""

import subprocess
import sys
from pathlib import Path

import pytest

from browser.chromium import Chromium

DOCS = Path(__file__).parents[2] / "docs"

PAGES = [
    *sorted(
        str(page.relative_to(DOCS).with_suffix(""))
        for page in (*DOCS.rglob("*.md"), *DOCS.rglob("*.ipynb"))
        if not {"_generated", "_build", "api"} & {*page.relative_to(DOCS).parts}
    ),
    # One page of the reference for each kind of name.
    "reference/api/Geometry",
    "reference/api/stage2",
    "reference/api/Scheme",
    "reference/api/UnsupportedCombination",
    "reference/api/POLICIES",
]

OUTSIDE = """(() => {
  const article = document.querySelector("article");
  const right = article.getBoundingClientRect().right;
  const scrolls = (element) => {
    for (let above = element; above !== article; above = above.parentElement)
      if (["auto", "scroll"].includes(getComputedStyle(above).overflowX)) return true;
    return false;
  };
  return [...article.querySelectorAll("*")]
    .filter((element) => element.getBoundingClientRect().width > 0)
    .filter((element) => element.getBoundingClientRect().right > right + THEME)
    .filter((element) => !scrolls(element.parentElement))
    .map((element) => element.outerHTML.slice(0, 80));
})()""".replace("THEME", "10")  # headings of the theme reach 8 pixels beyond


@pytest.fixture(scope="session")
def site(executable: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the whole documentation."""
    assert executable
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(DOCS), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    return folder


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_leaves_its_column(
    started: Chromium, site: Path, page: str, width: int
) -> None:
    """Neither the page nor anything in the article is wider than it should be."""
    started.look(width=width, height=900, dark=False)
    started.open((site / f"{page}.html").as_uri())

    assert width == started.run("document.documentElement.scrollWidth")
    assert [] == started.run(OUTSIDE)
    assert [] == started.complaints()


SCROLLING = """[...document.querySelectorAll("article .table-wrapper, article table")]
  .filter((frame) => frame.scrollWidth > frame.clientWidth + 1)
  .map((frame) => frame.innerText.slice(0, 80))"""


@pytest.mark.parametrize("page", PAGES)
def test_a_table_is_read_on_a_phone_without_scrolling(
    started: Chromium, site: Path, page: str
) -> None:
    """The rows of a wide table are blocks there, and each cell names its column."""
    started.look(width=390, height=900, dark=False)
    started.open((site / f"{page}.html").as_uri())

    assert [] == started.run(SCROLLING)


@pytest.mark.parametrize("width", [390, 1280])
def test_a_refusal_is_read_without_scrolling(
    started: Chromium, site: Path, width: int
) -> None:
    """The sentence is the product: it wraps."""
    started.look(width=width, height=900, dark=False)
    started.open((site / "index.html").as_uri())
    script = "(each) => each.scrollWidth - each.clientWidth"
    hidden = started.run(f"[...document.querySelectorAll('pre')].map({script})")

    assert {0} == {*hidden}
