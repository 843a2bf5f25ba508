# SPDX-License-Identifier: MIT
"""Standard output and error, whatever they are; and progress."""

import errno
import io
import os
from pathlib import Path

import pytest
from cli.running import Run

from s2geom.cli import main as cli
from s2geom.cli.channels import complain, escaped, progress_bar

LOAD = "--load 0x80000000"
VTCR = "--vtcr 0x80023558"


class ClosedPipe(io.StringIO):
    """Standard output whose reader has gone."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor = descriptor

    def write(self, _: str) -> int:
        """Fail as a pipe does."""
        raise BrokenPipeError

    def fileno(self) -> int:
        """Give the descriptor that must not be written to at exit."""
        return self.descriptor


def test_a_closed_pipe_is_pointed_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What Python still flushes at exit goes nowhere, and nobody complains."""
    with (tmp_path / "pipe").open("wb") as stands_for_pipe:
        monkeypatch.setattr("sys.stdout", ClosedPipe(stands_for_pipe.fileno()))
        status = cli.main(["show", "--page-size", "4K", "--ipa", "40"])
        os.write(stands_for_pipe.fileno(), b"late")

    assert (2, b"") == (status, (tmp_path / "pipe").read_bytes())


class FullDisk(ClosedPipe):
    """Standard output to a file that cannot grow."""

    def write(self, _: str) -> int:
        """Fail as a full disk does."""
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_an_answer_that_cannot_be_written_is_no_refusal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 would say that the configuration is not supported."""
    with (tmp_path / "full").open("wb") as stands_for_disk:
        monkeypatch.setattr("sys.stdout", FullDisk(stands_for_disk.fileno()))
        status = cli.main(["show", "--page-size", "4K", "--ipa", "40"])

    assert 2 == status
    assert (
        "s2geom: error: cannot write the answer: No space left on device\n"
    ) == capsys.readouterr().err


def test_without_standard_output_there_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``s2geom ... >&-`` has nowhere to put it, and 0 or 1 would be one."""
    monkeypatch.setattr("sys.stdout", None)

    assert 2 == cli.main(["show", "--page-size", "16K", "--ipa", "40", "--va", "36"])
    assert "standard output is closed" in capsys.readouterr().err


def test_without_standard_error_an_error_goes_nowhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Least of all to standard output, which a program reads."""
    monkeypatch.setattr("sys.stderr", None)

    assert 2 == cli.main(["show", "--json"])
    assert 2 == cli.main(["config", "/no/where", "--json"])
    assert "" == capsys.readouterr().out
    assert progress_bar(streams=False) is None


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        ("plain: a b", "plain: a b"),
        ("\\x1b[31mred\\x07", "\x1b[31mred\x07"),
        ("\\x9b2J\\x7f", "\x9b2J\x7f"),
        ("a\\u202eb\\u2066c", "a\u202eb\u2066c"),
        ("a\\u200bb\\ufeffc", "a\u200bb\ufeffc"),
        ("a\\u3164b\\u034fc", "a\u3164b\u034fc"),
        ("a\\nb\\tc\\u2028d", "a\nb\tc\u2028d"),
        ("\\udcff", "\udcff"),
        ("\\U000e0001", "\U000e0001"),
        ("Gr\u00fc\u00dfe \u4e16\u754c", "Gr\u00fc\u00dfe \u4e16\u754c"),
    ],
)
def test_what_a_terminal_would_obey_or_hide_is_escaped(shown: str, text: str) -> None:
    """Controls, directions, zero widths and separators; letters stay as they are."""
    assert shown == escaped(text)


def test_a_name_that_the_terminal_cannot_show_is_spelt_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The answer does not fail because of the name of a file."""
    (tmp_path / "map").write_text("0, 4K, NORMAL, page\n")
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", narrow)
    line = f"build {tmp_path / 'map'} --page-size 4K --ipa 40 --base 1G --out"
    status = cli.main([*line.split(), str(tmp_path / "\u00e9")])
    narrow.seek(0)

    assert 0 == status
    assert any(line.endswith("\\xe9") for line in narrow.read().splitlines())


class Terminal(io.StringIO):
    """Standard error that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_a_long_dump_draws_a_bar_on_a_terminal(
    run: Run, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It grows, ends full, and leaves no trace on the line."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    run("dump", image, LOAD, VTCR)
    drawn = terminal.getvalue().split("\r")

    assert f"[{'#' * 40}]" in drawn
    assert ["", " " * 42, ""] == [drawn[0], *drawn[-2:]]
    lengths = [frame.count("#") for frame in drawn[1:-2]]
    assert sorted(set(lengths)) == lengths


def test_the_bar_is_drawn_only_when_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand reports are forty frames."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    draw = progress_bar(streams=True)
    assert draw is not None
    for done in range(1000):
        draw(done, 1000)

    assert 40 == terminal.getvalue().count("[")


def test_the_bar_of_an_empty_range_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to do is done."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    draw = progress_bar(streams=True)
    assert draw is not None
    draw(0, 0)

    assert f"[{'#' * 40}]" in terminal.getvalue()


def test_a_bar_that_cannot_be_drawn_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal went away; the answer does not depend on it."""

    class Gone(Terminal):
        def write(self, _: str) -> int:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("sys.stderr", Gone())
    draw = progress_bar(streams=True)
    assert draw is not None

    draw(0, 8)
    draw(8, 8)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_an_interruption_where_a_stream_is_closed(
    monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    """There is nothing to forget, or nobody to tell."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("s2geom.cli.commands.Command.run", interrupted)
    monkeypatch.setattr(f"sys.{stream}", None)

    assert 130 == cli.main(["show", "--page-size", "4K", "--ipa", "40"])


def test_a_map_that_has_no_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits until memory is full of it."""
    monkeypatch.setattr("s2geom.cli.channels.MOST_FILE_BYTES", 1 << 20)
    endless = io.TextIOWrapper(io.BytesIO(bytes((1 << 20) + 1)))
    monkeypatch.setattr("sys.stdin", endless)
    ran = run("footprint - --page-size 4K --ipa 40")

    assert (2, "") == (ran.status, ran.out)
    assert "cannot read standard input: it has more than 1 MiB" in ran.err


def test_no_bar_is_drawn_among_the_lines_of_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On one terminal with it; what is written at the end has a bar before."""
    monkeypatch.setattr("sys.stdout", Terminal())
    monkeypatch.setattr("sys.stderr", Terminal())

    assert progress_bar(streams=True) is None
    assert progress_bar(streams=False) is not None


def test_an_error_does_not_stand_behind_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is cleared before it."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    draw = progress_bar(streams=True)
    assert draw is not None
    draw(1, 2)
    complain("s2geom: error: torn")

    assert ["", f"[{'#' * 20:<40}]", " " * 42, "s2geom: error: torn\n"] == (
        terminal.getvalue().split("\r")
    )
