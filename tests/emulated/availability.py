# SPDX-License-Identifier: MIT
"""Which emulators this machine has, and what to do about one it has not.

A plain test run skips what it cannot do and says how to get it. Where everything is
meant to be there, S2GEOM_ALL=1 turns that skip into a failure: an oracle that silently
stopped being asked would otherwise look like one that agrees.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import Final

import pytest

from emulated.qemu_cpu import COMPILERS, QEMU, find_compiler


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


_MISSING: Final = {"unicorn": _unicorn, "qemu": _qemu}


def missing(name: str) -> str | None:
    """Tell what an emulator needs that is not here; `None` when it can run."""
    return _MISSING[name]()


def wanted(name: str) -> bool:
    """Whether to go on with an emulator: it can run, or its absence is a failure."""
    return missing(name) is None or _all_must_be_there()


def _all_must_be_there() -> bool:
    return os.environ.get("S2GEOM_ALL") == "1"


def require(name: str) -> None:
    """Skip the test that asks when an emulator cannot run; fail it if S2GEOM_ALL=1.

    Args:
        name: "unicorn" or "qemu".
    """
    reason = missing(name)
    if reason is None:
        return
    if _all_must_be_there():
        pytest.fail(f"S2GEOM_ALL=1 and the {name} oracle {reason}", pytrace=False)
    pytest.skip(f"the {name} oracle {reason}")
