# SPDX-License-Identifier: MIT
"""The command in this process, a memory map, and an image of its tables."""

from pathlib import Path

import pytest
from cli.running import Ran, Run

from s2geom.cli.main import main

MAP = """\
# a guest
0x08000000,    16M, DEVICE,  peripherals
40000000,       2G, NORMAL,  guest memory, 0x880000000
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process; every argument is split into words."""

    def _run(*lines: str) -> Ran:
        status = main([word for line in lines for word in line.split()])
        return Ran(status, *capsys.readouterr())

    return _run


@pytest.fixture
def run_exactly(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process; an argument may have spaces."""

    def _run(*arguments: str) -> Ran:
        return Ran(main(arguments), *capsys.readouterr())

    return _run


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A memory map, and where an image may go."""
    (tmp_path / "map.txt").write_text(MAP)
    return {"map": str(tmp_path / "map.txt"), "image": str(tmp_path / "image")}


@pytest.fixture
def image(run: Run, files: dict[str, str]) -> str:
    """The image of the tables for the memory map."""
    status, _, _ = run(
        "build",
        files["map"],
        "--page-size 4K --ipa 40 --kernel 4.19",
        "--base 0x80000000 --out",
        files["image"],
    )

    assert 0 == status
    return files["image"]
