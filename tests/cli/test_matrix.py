# SPDX-License-Identifier: MIT
"""Every command with every option and argument, right, wrong, huge and hostile.

The matrix is made from the table of commands, so a new command or option joins it. It
runs in this process; `test_real_commands.py` has what needs a process of its own.
"""

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from cli.questions import FILES, HOSTILE, NAMES, RIGHT, write_files
from cli.running import Ran

from s2geom.cli.commands import COMMANDS
from s2geom.cli.main import main
from s2geom.cli.options import Option

LONGEST_LINE = 1000
LONGEST_ERROR = 5000
"""Characters. The usage of a command is a part of the error."""

FEW = ["", "-1", "9" * 5000, HOSTILE, "0xffffffffffffffff", "-"]
"""Values of which some are wrong for every option and argument."""

MANY = [*FEW, "x", "0x", "\u0664", "0x" + "f" * 5000, "0", "1", "1P", "1e3", "=", "\0"]
"""Values that the slow tests add: they find what `FEW` find, and have found more."""


def run(*words: str) -> Ran:
    """Run the command in this process, with an empty standard input."""
    out, err, data = io.BytesIO(), io.StringIO(), io.TextIOWrapper(io.BytesIO(b""))
    before, sys.stdin = sys.stdin, data
    try:
        with redirect_stdout(io.TextIOWrapper(out, "utf-8")), redirect_stderr(err):
            status = main(words)
            sys.stdout.flush()
            return Ran(status, out.getvalue().decode("latin-1"), err.getvalue())
    finally:
        sys.stdin = before


def faults(words: list[str]) -> list[str]:
    """Return what is wrong with how a command ends, whatever it was asked."""
    ran = run(*words)
    is_image = words[-2:] == ["--out", "-"] or words[-1] == "--out=-"
    shown = ran.err if is_image else ran.out + ran.err
    is_error = ran.status == 2
    rules = {
        "status": ran.status in {0, 1, 2},
        "an error is on standard error alone": is_error == bool(ran.err),
        "an error has no answer": not (is_error and ran.out),
        "no control character": shown.replace("\n", "").isprintable(),
        "no traceback": "Traceback" not in shown and "Error(" not in shown,
        "a line of an error is bounded": all(
            len(line) <= LONGEST_LINE for line in ran.err.splitlines()
        ),
        "an error is bounded": len(ran.err) <= LONGEST_ERROR,
        "an error ends in a sentence": not is_error
        or "error: " in ran.err.splitlines()[-1],
        "JSON is JSON": is_error or "--json" not in words or is_json(ran.out),
    }
    return [rule for rule, holds in rules.items() if not holds]


def is_json(text: str) -> bool:
    """Return whether a text is an object of JSON."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def without(words: list[str], row: Option) -> list[str]:
    """Return the words of a question without an option and its value."""
    if row.flags[0] not in words:
        return words
    at = words.index(row.flags[0])
    return words[:at] + words[at + 1 + row.has_value :]


def of_options(name: str, values: list[str]) -> Iterator[list[str]]:
    """Yield the right question with each option added or changed."""
    [command] = [command for command in COMMANDS if command.name == name]
    right = RIGHT[name].split()
    for row in command.options:
        flag, rest = row.flags[0], without(right, row)
        if row.is_flag:
            yield from ([*rest, flag], [*rest, flag, flag], [*rest, f"{flag}=x"])
        elif row.has_value:
            yield from ([*rest, f"{flag}={value}"] for value in values)
            yield from ([*rest, flag], [*rest, f"{flag}=--"], [flag, *rest])


def of_arguments(name: str, values: list[str]) -> Iterator[list[str]]:
    """Yield the right question with each word that is no option changed or left out."""
    right = RIGHT[name].split()
    for at, word in enumerate(right[1:], start=1):
        if not word.startswith("-"):
            yield right[:at] + right[at + 1 :]
            yield from ([*right[:at], value, *right[at + 1 :]] for value in values)


def of_the_rest(name: str, _: list[str]) -> Iterator[list[str]]:
    """Yield questions that have nothing, too much, or ask for help as well."""
    right = RIGHT[name].split()
    yield from ([name], [name, "--"], [*right, "--no-such"], [*right, HOSTILE])
    yield from ([*right, "--", "x"], [*right, *right[1:]], ["--no-such", *right])


MATRIX: dict[str, Callable[[str, list[str]], Iterator[list[str]]]] = {
    "option": of_options,
    "argument": of_arguments,
    "rest": of_the_rest,
}


@pytest.fixture(autouse=True, scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("matrix")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        write_files(folder)
        yield


def test_every_command_has_a_question() -> None:
    """A new command joins the matrix by a right question."""
    assert NAMES == [*RIGHT]


def all_faults(questions: Iterator[list[str]]) -> dict[str, list[str]]:
    """Return what is wrong with some questions, by their words."""
    told = {" ".join(word[:40] for word in words): faults(words) for words in questions}
    return {words: broken for words, broken in told.items() if broken}


@pytest.mark.parametrize("column", MATRIX)
@pytest.mark.parametrize("name", NAMES)
def test_a_command_ends_as_it_should(name: str, column: str) -> None:
    """Exit code 0, 1 or 2, and nothing but JSON on standard output."""
    questions = MATRIX[column](name, FEW)

    assert {} == all_faults([*words, "--json"] for words in questions)


@pytest.mark.slow
@pytest.mark.parametrize("column", MATRIX)
@pytest.mark.parametrize("name", NAMES)
def test_a_command_ends_as_it_should_for_many_values(name: str, column: str) -> None:
    """The same in text, and with more values."""
    questions = [*MATRIX[column](name, MANY)]
    spaced = ([*words[:-1], *words[-1].split("=", 1)] for words in questions)

    assert {} == all_faults(iter(questions))
    assert {} == all_faults([*words, "--json"] for words in questions)
    assert {} == all_faults(spaced)


@pytest.mark.parametrize("name", NAMES)
def test_help_is_text_whatever_stands_beside_it(name: str) -> None:
    """It is the answer of no question, so ``--json`` and the rest have no effect."""
    text = run(name, "--help")

    assert (0, "") == (text.status, text.err)
    assert text.out.startswith(f"usage: s2geom {name} ")
    assert text == run(name, "--json", "-h")
    assert text == run(*RIGHT[name].split(), "-h", "--json")


def test_help_and_version_of_the_program() -> None:
    """As of a command: text, and nothing after it counts."""
    text = run("--help")

    assert (0, "") == (text.status, text.err)
    assert all(f"  {name} " in text.out for name in NAMES)
    assert text == run("-h", "show", "--json")
    assert run("--version") == run("--version", "show", "--json")


def test_the_matrix_finds_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that prints what it should not, and one that ends otherwise."""

    def prints(_: object) -> int:
        sys.stdout.write("\x1b[31m")
        return 3

    monkeypatch.setattr(sys.modules[__name__], "main", prints)

    assert ["status", "no control character", "JSON is JSON"] == faults(["--json"])


def test_the_files_of_the_questions_are_read() -> None:
    """Else the hostile names would stand for nothing."""
    words = {word for question in RIGHT.values() for word in question.split()}

    assert words >= FILES
    assert all(Path(name).is_file() for name in FILES)
