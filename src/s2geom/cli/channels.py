# SPDX-License-Identifier: MIT
"""Files and standard input in; files, standard output, errors and progress out.

All text leaves through `write` and `complain`, which escape control and invisible
characters: names of files and labels of maps are other people's text. A file argument
may be ``-``, standard input.
"""

import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO, TextIO

from s2geom.core.errors import InvalidArgument, S2GeomError, UnreadableInput

# Characters that are printable for Python, and have no width on a terminal.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)


def _is_plain(text: str) -> bool:
    return text.isprintable() and (text.isascii() or not _INVISIBLE.search(text))


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def escaped(text: str) -> str:
    r"""Return a line with every character escaped that moves, hides or reorders others.

    These are control characters (C0, C1), bidirectional and zero-width ones, separators
    but the space, and halves of surrogate pairs (undecodable bytes of a file's name).

    >>> print(escaped("a\x1b[31m\u202eb"))
    a\x1b[31m\u202eb
    """
    if _is_plain(text):
        return text
    return "".join(c if _is_plain(c) else _escape(c) for c in text)


# Standard output and standard error


AT_ONCE = 256
"""Lines that are written together: a call for each would take longer than the rest."""


class OutputLost(Exception):
    """Standard output takes no more; the message is empty where its reader has gone."""


def write(lines: Iterable[str]) -> None:
    """Write lines to standard output as they come.

    Raises:
        OutputLost: It is closed or full. An error of the lines' own passes through.
    """
    stream = _standard_output()
    if isinstance(stream, TextIOWrapper):  # a name may have any character
        stream.reconfigure(errors="backslashreplace")
    waiting: list[str] = []
    try:
        for line in lines:
            waiting.append(escaped(line) + "\n")
            if len(waiting) == AT_ONCE:
                _put(stream, "".join(waiting))
                waiting.clear()
    except S2GeomError:
        _put(stream, "".join(waiting), flush=True)
        raise
    _put(stream, "".join(waiting), flush=True)


def write_bytes(data: bytes | bytearray) -> None:
    """Write bytes to standard output.

    Raises:
        OutputLost: It is closed or full.
    """
    stream = _standard_output()
    with _lost(stream):
        stream.buffer.write(data)
        stream.buffer.flush()


def _standard_output() -> TextIO:
    if sys.stdout is None:
        raise OutputLost("cannot write the answer: standard output is closed")
    return sys.stdout


@contextmanager
def _lost(stream: TextIO) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        _silence(stream)
        raise OutputLost from None
    except (OSError, ValueError) as error:  # ValueError: closed in this process
        _silence(stream)
        why = getattr(error, "strerror", None) or error
        raise OutputLost(f"cannot write the answer: {why}") from None


def _put(stream: TextIO, text: str, *, flush: bool = False) -> None:
    with _lost(stream):
        stream.write(text)
        if flush:
            stream.flush()


def _silence(stream: TextIO) -> None:
    """Point a stream to /dev/null, so that the flush at exit does not fail again."""
    with suppress(OSError, ValueError):  # a stream without a descriptor has no flush
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


BAR = 40
"""Characters of a progress bar."""

NO_BAR = f"\r{' ' * (BAR + 2)}\r"
"""Text that clears the line of a bar."""


def drop_output() -> None:
    """Discard buffered output: writing it could block."""
    if sys.stdout is not None:
        _silence(sys.stdout)


LONGEST_LINE = 1000
"""Characters of a line of an error: the name of a file may be longer than a screen."""


def _shortened(line: str) -> str:
    """Leave out the middle of a long line: the reason is at its end."""
    if len(line) <= LONGEST_LINE:
        return line
    return f"{line[:600]} ... {line[-300:]}"


def complain(*lines: str) -> None:
    """Write lines to standard error; do nothing if it is closed or full."""
    if sys.stderr is None:
        return
    text = "".join(f"{_shortened(escaped(line))}\n" for line in lines)
    if _is_terminal(sys.stderr):  # a bar may be on the line
        text = NO_BAR + text
    with suppress(OutputLost):
        _put(sys.stderr, text, flush=True)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def progress_bar(*, streams: bool) -> Callable[[int, int], object] | None:
    """Return a function that draws a bar, or None if standard error is no terminal.

    Args:
        streams: Whether the answer is written while it is computed. There is no bar
            then if standard output is a terminal too.
    """
    stream = sys.stderr
    if not _is_terminal(stream) or (streams and _is_terminal(sys.stdout)):
        return None
    drawn = -1

    def draw(done: int, total: int) -> None:
        nonlocal drawn
        filled = BAR * done // total if total else BAR
        if filled > drawn:
            drawn = filled
            bar = f"\r[{'#' * filled:<{BAR}}]"
            with suppress(OutputLost):  # the last bar leaves the line empty
                _put(stream, bar + NO_BAR * (done == total), flush=True)

    return draw


# Files

STANDARD_INPUT = "-"

MOST_FILE_BYTES = 64 << 20
"""Memory maps have some KiB, and the kernel's text of a VM's tables some MiB."""


def name_of(path: str) -> str:
    """Return what messages call a file argument."""
    return "standard input" if path == STANDARD_INPUT else path


@contextmanager
def in_errors(name: str) -> Iterator[None]:
    """Put the name of a part of the input before errors about it."""
    try:
        yield
    except (InvalidArgument, UnreadableInput) as error:
        raise type(error)(f"{name}: {error}") from error


@contextmanager
def naming(verb: str, path: str) -> Iterator[None]:
    """Turn what the operating system says into a sentence that names the file."""
    try:
        yield
    except S2GeomError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        why = getattr(error, "strerror", None) or error
        raise UnreadableInput(f"cannot {verb} {name_of(path)}: {why}") from error


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    with naming("read", path):
        if path != STANDARD_INPUT:
            with Path(path).open("rb") as file:
                if stat.S_ISCHR(os.fstat(file.fileno()).st_mode):  # as /dev/zero
                    raise UnreadableInput(
                        f"cannot read {path}: it is a device, not a file"
                    )
                yield file
        elif sys.stdin is None:
            raise UnreadableInput("cannot read standard input: it is closed")
        else:
            yield sys.stdin.buffer


def read_bytes(path: str) -> bytes:
    """Return the content of a file argument, which is at most 64 MiB.

    Raises:
        UnreadableInput: It cannot be read, is a device, or is too large.
    """
    with _opened(path) as file:
        data = file.read(MOST_FILE_BYTES + 1)
    if len(data) > MOST_FILE_BYTES:
        raise UnreadableInput(
            f"cannot read {name_of(path)}: it has more than {MOST_FILE_BYTES >> 20} MiB"
        )
    return data


def read_text(path: str) -> str:
    """Return the text of a file argument, without a byte order mark.

    Raises:
        UnreadableInput: It cannot be read, or is no UTF-8.
    """
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableInput(f"{name_of(path)} is no text: {error}") from error


@contextmanager
def image_path(path: str) -> Iterator[str]:
    """Give the path of a regular file with the content of a file argument.

    A pipe and standard input are copied into a temporary file, which can be mapped.

    Raises:
        UnreadableInput: It cannot be read, or is a device.
    """
    with ExitStack() as stack:
        with _opened(path) as file, naming("copy", path):
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            if path == STANDARD_INPUT or not regular:
                copy = stack.enter_context(tempfile.NamedTemporaryFile())
                copyfileobj(file, copy)
                copy.flush()
                path = copy.name
        yield path


def write_file(path: str, data: bytes | bytearray, *, inputs: Iterable[str]) -> None:
    """Write a file that is none of the inputs.

    Raises:
        InvalidArgument: It is one of the inputs, by whatever name.
        UnreadableInput: It cannot be written.
    """
    for other in inputs:
        same = False
        with suppress(OSError, ValueError):  # one that is not there is another
            same = Path(path).samefile(other)
        if same:
            raise InvalidArgument(f"--out {path} would overwrite the input {other}")
    with naming("write", path):
        Path(path).write_bytes(data)
