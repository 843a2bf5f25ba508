# SPDX-License-Identifier: MIT
"""Which emulators and tools this machine has, and what to do about one it has not.

A plain test run skips what it cannot do and says how to get it. Where everything is
meant to be there, S2GEOM_ALL=1 turns that skip into a failure: an oracle that silently
stopped being asked would otherwise look like one that agrees.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from typing import Final

import pytest

from emulated.qemu_cpu import COMPILERS, QEMU, find_compiler

GDB: Final = "gdb-multiarch"
SYSTEM_PYTHON: Final = "/usr/bin/python3"
"""The distribution's, which has the distribution's modules."""


def _unicorn() -> str | None:
    if importlib.util.find_spec("unicorn"):
        return None
    return "needs the unicorn package (pip install unicorn)"


def _qemu() -> str | None:
    if not shutil.which(QEMU):
        return f"needs {QEMU} (Debian package qemu-system-arm)"
    if not find_compiler():
        names = " or ".join(COMPILERS)
        return f"needs {names} (Debian package gcc-aarch64-linux-gnu)"
    return None


def _gdb() -> str | None:
    if not shutil.which(GDB):
        return f"needs {GDB} (Debian package gdb-multiarch)"
    done = subprocess.run(
        [GDB, "-nx", "-batch", "-ex", "python import attrs, sys; print(sys.version)"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if not done.stdout.startswith("3."):
        return f"needs attrs in {GDB}'s own Python (Debian package python3-attr)"
    return _qemu()


def _drgn() -> str | None:
    if importlib.util.find_spec("drgn"):
        return _qemu()
    return "needs the drgn package (pip install drgn)"


def _libkdumpfile() -> str | None:
    done = subprocess.run(
        [SYSTEM_PYTHON, "-c", "import attrs, kdumpfile"],
        capture_output=True,
        check=False,
        timeout=60,
    )
    if done.returncode:
        return (
            f"needs kdumpfile and attrs in {SYSTEM_PYTHON} (Debian packages "
            "python3-libkdumpfile, python3-attr)"
        )
    if not shutil.which("makedumpfile"):
        return "needs makedumpfile (Debian package makedumpfile)"
    return _qemu()


_MISSING: Final = {
    "unicorn": _unicorn,
    "qemu": _qemu,
    # The tools that tests/readers and tests/in_gdb ask. On Debian: gdb-multiarch,
    # python3-attr, python3-libkdumpfile and makedumpfile by apt; drgn by pip.
    "gdb": _gdb,
    "drgn": _drgn,
    "libkdumpfile": _libkdumpfile,
}


def missing(name: str) -> str | None:
    """Tell what an emulator or a tool needs that is not here; `None` if nothing."""
    return _MISSING[name]()


def wanted(name: str) -> bool:
    """Whether to go on with an emulator: it can run, or its absence is a failure."""
    return missing(name) is None or _all_must_be_there()


def _all_must_be_there() -> bool:
    return os.environ.get("S2GEOM_ALL") == "1"


def require(name: str) -> None:
    """Skip the test that asks when an emulator cannot run; fail it if S2GEOM_ALL=1.

    Args:
        name: "unicorn", "qemu", "gdb", "drgn" or "libkdumpfile".
    """
    reason = missing(name)
    if reason is None:
        return
    if _all_must_be_there():
        pytest.fail(f"S2GEOM_ALL=1 and the {name} oracle {reason}", pytrace=False)
    pytest.skip(f"the {name} oracle {reason}")
