# SPDX-License-Identifier: MIT
"""The command as a process of its own."""

import subprocess
import sys
import time
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
