# SPDX-License-Identifier: MIT
"""The command as one file."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_one_file_has_everything(tmp_path: Path) -> None:
    """Without the package or attrs on the path: the version, answers and exit codes."""
    archive = tmp_path / "s2geom.pyz"
    subprocess.run([sys.executable, ROOT / ".ci" / "zipapp", archive], check=True)

    def ran(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-S", archive, *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": ""},
        )
        return done.returncode, done.stdout + done.stderr

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    shape = ("--page-size", "16K", "--va", "36")

    assert (0, f"s2geom {project['version']}\n") == ran("--version")
    assert 0 == ran("show", *shape, "--ipa", "40")[0]
    assert 1 == ran("show", *shape, "--ipa", "41")[0]
    assert "unpack the archive, or install the package" in ran("gdb-script")[1]
