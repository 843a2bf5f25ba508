# SPDX-License-Identifier: MIT
"""Completion in a shell, which shtab makes from the parser."""

import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cli.running import Run


def test_without_shtab_it_is_said_what_is_missing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra, and nothing else needs it."""
    monkeypatch.setitem(sys.modules, "shtab", None)
    ran = run("--print-completion bash")

    assert (2, "") == (ran.status, ran.out)
    assert "it needs shtab: pip install 's2geom[completion]'" in ran.err


def test_files_are_completed_as_files(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever shtab makes of it is printed."""
    completed: list[str] = []

    def complete(parser: ArgumentParser, shell: str) -> str:
        [commands] = [
            action.choices
            for action in parser._actions  # noqa: SLF001 - as shtab does
            if isinstance(action.choices, dict)
        ]
        completed.extend(
            action.dest
            for command in commands.values()
            for action in command._actions  # noqa: SLF001
            if hasattr(action, "complete")
        )
        return f"for {shell}"

    stand_in: Any = ModuleType("shtab")
    stand_in.FILE, stand_in.complete = {}, complete
    monkeypatch.setitem(sys.modules, "shtab", stand_in)

    assert (0, "for zsh\n", "") == run("--print-completion zsh")
    assert {"path", "map", "image", "out", "compare"} == set(completed)


def test_bash_completes(run: Run, tmp_path: Path) -> None:
    """The commands, the options of one, and the choices of an option."""
    pytest.importorskip("shtab")
    (tmp_path / "s2geom").write_text(run("--print-completion bash").out)
    completed = []
    for words in ("s2geom sh", "s2geom show --page", "s2geom walk --access w"):
        script = (
            f"source {tmp_path / 's2geom'}; COMP_WORDS=({words}); "
            f"COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _shtab_s2geom; "
            'echo "${COMPREPLY[*]}"'
        )
        done = subprocess.run(
            ["bash", "-c", script], check=True, capture_output=True, text=True
        )
        completed.append(done.stdout.strip())

    assert ["show", "--page-size", "write"] == completed
