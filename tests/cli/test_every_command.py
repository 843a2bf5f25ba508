# SPDX-License-Identifier: MIT
"""What holds for every command: help, mistakes, interruptions, channels.

A command ends with 0, 1, 2 or 130, and never with a traceback; under ``--json`` nothing
but JSON is on standard output. Each is tried in this process and as a real one.
"""

import os
import runpy
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from cli.running import Ran, Run

from s2geom.cli.commands import COMMANDS
from s2geom.cli.main import main

NAMES = [command.name for command in COMMANDS]

CONFIG = """\
# Linux/arm64 6.12.0 Kernel Configuration
CONFIG_ARM64_4K_PAGES=y
CONFIG_ARM64_VA_BITS=48
CONFIG_KVM=y
"""
SHAPE = "--page-size 4K --ipa 40"
IMAGE = f"image --load 2G {SHAPE}"
RIGHT = {
    "show": f"show {SHAPE}",
    "config": "config config",
    "split": f"split {SHAPE} 0x1234",
    "fit": "fit map --page-size 4K",
    "macros": f"macros {SHAPE}",
    "choices": f"choices {SHAPE} --pa 44",
    "compare": f"compare {SHAPE} --pa 44",
    "decode": "decode vtcr 0x80023558",
    "build": f"build map {SHAPE} --base 2G",
    "walk": f"walk {IMAGE} 0x1234",
    "dump": f"dump {IMAGE}",
    "gdb-script": "gdb-script",
    "footprint": f"footprint map {SHAPE}",
}
"""A question for each command that has an answer."""

WORDS = {"--vtcr", "--vttbr", "--hcr", "--hpfar", "--far"}
"""Options that read a register's word."""

WITH_A_FILE = {"config": "config", "build": "map", "walk": "image", "dump": "image"}
WITH_A_FILE |= {"fit": "map", "footprint": "map"}

HOSTILE = "/no/where/\x1b[31m\x07\u202e\n\udcff"
"""A file name that would recolour, ring, turn round and break a line."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of the questions, in the current folder."""
    (tmp_path / "config").write_text(CONFIG)
    (tmp_path / "map").write_text("0, 4M, NORMAL, ram\n")
    monkeypatch.chdir(tmp_path)
    assert 0 == main(f"build map {SHAPE} --base 2G --out image".split())


def real(*arguments: str, **channels: int | None) -> Ran:
    """Run the command as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "s2geom", *arguments],
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=60,
        **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | channels),  # type: ignore[call-overload]
    )
    return Ran(
        done.returncode,
        (done.stdout or b"").decode(errors="replace"),
        (done.stderr or b"").decode(errors="replace"),
    )


def test_every_command_has_a_question_here() -> None:
    """A new command joins the matrix."""
    assert NAMES == [*RIGHT]


def numbers_of(name: str) -> list[str]:
    """Return the options of a command that read a number."""
    [command] = [command for command in COMMANDS if command.name == name]
    return [
        option.flags[0]
        for option in command.options
        if option.settings.get("metavar") in {"BITS", "ADDRESS", "WORD", "SIZE", "N"}
        and option.flags[0].startswith("--")
    ]


@pytest.mark.parametrize("name", NAMES)
class TestEachCommand:
    """The matrix, a row a command."""

    def test_it_answers(self, run: Run, name: str) -> None:
        """The question is right, so that what is changed below is what fails."""
        ran = run(RIGHT[name])

        assert (0, "") == (ran.status, ran.err)
        assert isinstance(run(RIGHT[name], "--json").json["premises"], list)

    def test_it_has_help(self, run: Run, name: str) -> None:
        """In this process and in its own."""
        ran = run(name, "--help")

        assert (0, "") == (ran.status, ran.err)
        assert ran.out.startswith(f"usage: s2geom {name} ")
        assert (0, ran.out, "") == real(name, "--help")

    def test_a_usage_error_has_the_usage_and_a_sentence(
        self, run: Run, name: str
    ) -> None:
        """Nothing where something is needed, and an option that there is not."""
        for wrong in ((), ("--no-such-option",))[name == "gdb-script" :]:
            ran = run(name, *wrong)

            assert (2, "") == (ran.status, ran.out)
            assert "error: " in ran.err.splitlines()[-1]
        assert ran.err.startswith(f"usage: s2geom {name} ")

    @pytest.mark.parametrize(
        "value",
        ["--", "", "-1", "1e3", "0x", "x", "9" * 5000, "0x" + "f" * 5000, "\u0664"],
        ids=[
            "dashes",
            "empty",
            "negative",
            "float",
            "0x",
            "x",
            "long",
            "hex",
            "arabic",
        ],
    )
    def test_a_bad_number_is_a_usage_error(
        self, run_exactly: Run, name: str, value: str
    ) -> None:
        """Whichever option it is given to."""
        for option in numbers_of(name):
            kept = [*RIGHT[name].split(), "--json"]
            if option in kept:
                del kept[kept.index(option) : kept.index(option) + 2]
            if value == "1e3" and option in WORDS:  # hexadecimal, without 0x
                continue
            ran = run_exactly(*kept, f"{option}={value}")

            assert (2, "") == (ran.status, ran.out), option
            assert len(ran.err) < 2500, option

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
        file = WITH_A_FILE.get(name)
        words = [HOSTILE if word == file else word for word in RIGHT[name].split()[1:]]
        ran = run_exactly(name, *words, *([] if file else [HOSTILE]), "--json")

        assert (2, "") == (ran.status, ran.out)
        if name != "decode":  # which counts its words first
            assert "\\x1b[31m\\x07\\u202e" in ran.err.splitlines()[-1]
        assert not {"\x1b", "\x07", "\u202e", "\udcff"} & {*ran.err}

    def test_standard_output_that_takes_nothing(self, name: str) -> None:
        """A closed pipe is silent, a full disk and a closed file are a sentence."""
        words = RIGHT[name].split()
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") as closed:
            assert (2, "", "") == real(*words, stdout=closed.fileno())
        with Path("/dev/full").open("wb") as full:
            ran = real(*words, stdout=full.fileno())

        why = "cannot write the answer: No space left on device"
        assert (2, "", f"s2geom: error: {why}\n") == ran

    def test_standard_error_that_takes_nothing(self, name: str) -> None:
        """The error is lost, and is not an answer."""
        with Path("/dev/full").open("wb") as full:
            ran = real(name, "--json", "--no-such-option", stderr=full.fileno())

        assert (2, "") == (ran.status, ran.out)

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


def asleep(process: "subprocess.Popen[bytes]") -> None:
    """Wait until a process waits for something itself."""
    quiet = 0
    while quiet < 4:
        time.sleep(0.05)
        state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        quiet = quiet + 1 if state[0] == "S" else 0


@pytest.mark.parametrize("words", ["show --page-size 4K --ipa 40", "config -"])
def test_a_real_interruption(words: str) -> None:
    """A process that waits for its reader, or for its input."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while os.write(writer, bytes(4096)):
            pass
    os.set_blocking(writer, True)
    with (
        os.fdopen(reader, "rb"),
        os.fdopen(writer, "wb") as full,
        subprocess.Popen(
            [sys.executable, "-m", "s2geom", *words.split()],
            stdin=subprocess.PIPE,
            stdout=full,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        asleep(process)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)
        assert process.stderr is not None
        told = process.stderr.read()

    assert (130, b"s2geom: interrupted\n") == (process.returncode, told)


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
