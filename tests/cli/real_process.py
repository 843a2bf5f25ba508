# SPDX-License-Identifier: MIT
"""The command as a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cli.running import Ran


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


def asleep(process: "subprocess.Popen[bytes]") -> None:
    """Wait until a process waits for something itself."""
    quiet = 0
    while quiet < 4:
        time.sleep(0.05)
        state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        quiet = quiet + 1 if state[0] == "S" else 0


def signalled(
    words: Sequence[str], number: int, stdin: int = subprocess.DEVNULL
) -> tuple[int, bytes]:
    """Send a signal to a command whose reader does not read.

    Returns:
        The exit code, and what it wrote to standard error.
    """
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
            [sys.executable, "-m", "s2geom", *words],
            stdin=stdin,
            stdout=full,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        asleep(process)
        process.send_signal(number)
        process.wait(timeout=20)
        assert process.stderr is not None
        return process.returncode, process.stderr.read()
