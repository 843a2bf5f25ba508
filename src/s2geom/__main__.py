# SPDX-License-Identifier: MIT
"""``python -m s2geom``."""

from s2geom.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
