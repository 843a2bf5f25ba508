# SPDX-License-Identifier: MIT
"""Every command as a process: wrong questions, broken channels, signals.

It ends with 0, 1, 2 or 130, and never with a traceback. `test_matrix.py` asks far more
questions in this process, and `test_every_command.py` has two of these.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli.questions import FILES, HOSTILE, NAMES, RIGHT, write_files
from cli.real_process import real, signalled
from cli.running import Ran

pytestmark = pytest.mark.slow

NO_SPACE = "s2geom: error: cannot write the answer: No space left on device\n"
CLOSED = "s2geom: error: cannot write the answer: standard output is closed\n"


@pytest.fixture(autouse=True, scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("real")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        write_files(folder)
        yield


def wrong_questions(name: str) -> dict[str, list[str]]:
    """Return questions that are none, by what is wrong with them."""
    right = RIGHT[name].split()
    hostile = [HOSTILE if word in FILES else word for word in right[1:]]
    asked = {
        "a bad value": [*right, "--no-such-option", "x"],
        "dashes": [*right, "--ipa=--"],
        "a huge number": [*right, "--ipa", "9" * 5000],
        "a hostile name": [name, *hostile, HOSTILE],
    }
    return asked if name == "gdb-script" else asked | {"nothing": [name]}


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_and_a_help(name: str) -> None:
    """Exit code 0, and nothing on standard error."""
    for words in (RIGHT[name].split(), [name, "--help"], [name, "--json"]):
        ran = real(*words)

        assert "Traceback" not in ran.err
        assert ran.status == (2 if ran.err else 0), words


@pytest.mark.parametrize("name", NAMES)
def test_a_question_that_is_none(name: str) -> None:
    """Exit code 2, and a sentence on standard error alone."""
    for what, words in wrong_questions(name).items():
        ran = real(*words, "--json")

        assert (2, "") == (ran.status, ran.out), what
        assert "error: " in ran.err.splitlines()[-1], what
        assert ran.err.replace("\n", "").isprintable(), what
        assert len(ran.err) < 3000, what


@contextmanager
def closed_pipe() -> Iterator[int]:
    """Give a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb"):
        yield writer


def in_a_shell(name: str, redirection: str) -> Ran:
    """Run a question with channels that only a shell can close."""
    command = f"exec {sys.executable} -m s2geom {RIGHT[name]} {redirection}"
    done = subprocess.run(
        ["sh", "-c", command], check=False, capture_output=True, text=True, timeout=60
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("name", NAMES)
def test_standard_output_that_takes_nothing(name: str) -> None:
    """A closed pipe is silent, a full disk and a closed file are a sentence."""
    words = RIGHT[name].split()
    for asked in (words, [*words, "--json"]):
        with closed_pipe() as nobody:
            assert (2, "", "") == real(*asked, stdout=nobody)
        with Path("/dev/full").open("wb") as full:
            assert (2, "", NO_SPACE) == real(*asked, stdout=full.fileno())

    assert (2, "", CLOSED) == in_a_shell(name, ">&-")


@pytest.mark.parametrize("name", NAMES)
def test_standard_error_that_takes_nothing(name: str) -> None:
    """The error is lost, and is not an answer; an answer does not need it."""
    with Path("/dev/full").open("wb") as full:
        ran = real(name, "--json", "--no-such-option", stderr=full.fileno())

    assert (2, "") == (ran.status, ran.out)
    assert (2, "", "") == in_a_shell(name, "--no-such-option 2>&-")
    assert 0 == in_a_shell(name, "--json 2>&-").status


@pytest.mark.parametrize(
    ("number", "status", "told"),
    [
        (signal.SIGINT, 130, b"s2geom: interrupted\n"),
        (signal.SIGTERM, -signal.SIGTERM, b""),
    ],
    ids=["SIGINT", "SIGTERM"],
)
@pytest.mark.parametrize("name", NAMES)
def test_a_signal_while_the_reader_sleeps(
    name: str, number: int, status: int, told: bytes
) -> None:
    """Ctrl-C is exit code 130 and one line; SIGTERM ends the process as ever."""
    assert (status, told) == signalled(RIGHT[name].split(), number)
