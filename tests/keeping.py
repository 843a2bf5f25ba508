# SPDX-License-Identifier: MIT
"""What is kept to be compared: a change of it is a difference that somebody reads."""

import os
from pathlib import Path


def kept(path: Path, shown: str) -> str:
    """Return what a file has, once ``S2GEOM_SNAPSHOTS=write`` has written it anew."""
    if os.environ.get("S2GEOM_SNAPSHOTS") == "write":  # pragma: no cover - by hand
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown, encoding="utf-8")
    return path.read_text(encoding="utf-8")
