# SPDX-License-Identifier: MIT
"""What holds for every command: mistakes, interruptions, channels.

`test_matrix.py` asks every command every wrong question in this process, and
`test_real_commands.py` runs each as a process of its own.
"""

import os
import runpy
import signal
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from cli.questions import FILES, HOSTILE, NAMES, RIGHT, write_files
from cli.real_process import real, signalled
from cli.running import Run


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of the questions, in the current folder."""
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)


@pytest.mark.parametrize("name", NAMES)
class TestEachCommand:
    """The matrix, a row a command."""

    def test_it_answers(self, run: Run, name: str) -> None:
        """The question is right, so that what is changed below is what fails."""
        ran = run(RIGHT[name])

        assert (0, "") == (ran.status, ran.err)
        assert isinstance(run(RIGHT[name], "--json").json["premises"], list)

    def test_a_usage_error_has_the_usage_and_a_sentence(
        self, run: Run, name: str
    ) -> None:
        """Nothing where something is needed, and an option that there is not."""
        for wrong in ((), ("--no-such-option",))[name == "gdb-script" :]:
            ran = run(name, *wrong)

            assert (2, "") == (ran.status, ran.out)
            assert "error: " in ran.err.splitlines()[-1]
        assert ran.err.startswith(f"usage: s2geom {name} ")

    def test_an_option_said_twice_is_refused(self, run: Run, name: str) -> None:
        """The last would win, and nobody would know."""
        words = RIGHT[name].split()
        given = [word for word in words if word.startswith("--page")] or ["--json"]
        first = given[0]
        twice = words[words.index(first) :][:2] if first in words else ["--json"] * 2
        ran = run(RIGHT[name], *twice)

        assert (2, "") == (ran.status, ran.out)
        assert f"argument {first}: given twice" in ran.err

    def test_a_hostile_file_name_is_shown_escaped(
        self, run_exactly: Run, name: str
    ) -> None:
        """As an argument where a file is wanted, and where none is."""
        right = RIGHT[name].split()[1:]
        words = [HOSTILE if word in FILES else word for word in right]
        more = [HOSTILE] if words == right else []
        ran = run_exactly(name, *words, *more, "--json")

        assert (2, "") == (ran.status, ran.out)
        if name != "decode":  # which counts its words first
            assert "\\x1b[31m\\x07\\u202e" in ran.err.splitlines()[-1]
        assert not {"\x1b", "\x07", "\u202e", "\udcff"} & {*ran.err}

    def test_an_interruption_is_one_line(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """Ctrl-C in the middle of the work."""

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("s2geom.cli.commands.Command.run", interrupted)

        assert (130, "", "s2geom: interrupted\n") == run(RIGHT[name])

    def test_memory_that_ends_is_an_error(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """With advice where the command has some."""

        def too_much(*_: object) -> None:
            raise MemoryError

        monkeypatch.setattr("s2geom.cli.commands.Command.run", too_much)
        ran = run(RIGHT[name])

        assert (2, "") == (ran.status, ran.out)
        assert ran.err.startswith("s2geom: error: out of memory")
        assert ("footprint tells" in ran.err) == (name == "build")


@pytest.mark.parametrize("words", ["show --page-size 4K --ipa 40", "config -"])
def test_a_real_interruption(words: str) -> None:
    """A process that waits for its reader, or for its input."""
    ended = signalled(words.split(), signal.SIGINT, stdin=subprocess.PIPE)

    assert (130, b"s2geom: interrupted\n") == ended


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_a_text_that_cannot_be_written(option: str) -> None:
    """The version and the help need standard output like an answer."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        assert (2, "", "") == real(option, stdout=closed.fileno())
    with Path("/dev/full").open("wb") as full:
        ran = real(option, stdout=full.fileno())

    assert 2 == ran.status
    assert "No space left on device" in ran.err


def test_the_version_is_the_package_s(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line; a copy of the sources alone has no version."""
    assert (0, f"s2geom {version('s2geom')}\n", "") == run("--version")

    def unknown(_: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr("importlib.metadata.version", unknown)

    assert (0, "s2geom, of unknown version\n", "") == run("--version")


def test_a_command_is_needed(run: Run) -> None:
    """No command, and one that there is not."""
    assert "the following arguments are required: COMMAND" in run("").err
    assert (2, "") == run("no-such-command")[:2]
    assert "invalid choice" in run("no-such-command").err


@pytest.mark.parametrize(("name", "out"), [("__main__", True), ("other", False)])
def test_the_module_runs_the_command(
    name: str,
    out: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``python -m s2geom`` is the command; an import of the module is not."""
    monkeypatch.setattr("sys.argv", ["s2geom", "--version"])
    with suppress(SystemExit):
        runpy.run_module("s2geom.__main__", run_name=name)

    assert out == capsys.readouterr().out.startswith("s2geom ")
