# SPDX-License-Identifier: MIT
"""The file to ``source`` in gdb for the commands `s2 regs`, `s2 walk`, `s2 dump`.

gdb's Python seldom has this package installed, so its folder is added to the path.
"""

import sys
from pathlib import Path

_FOLDER = str(Path(__file__).resolve().parents[2])
if _FOLDER not in sys.path:
    sys.path.append(_FOLDER)

try:
    from s2geom.in_gdb.commands import register_commands
except ImportError as _error:
    message: str = (
        f"s2geom: gdb's Python {sys.version.split()[0]} lacks something: {_error}. It "
        "needs Python 3.11 or later, and attrs (Debian: python3-attr)\n"
    )
    sys.stderr.write(message)
else:
    register_commands()
