# SPDX-License-Identifier: MIT
"""What is said of a shape: its heading, its facts and their labels."""

from s2geom.core.geometry import Geometry
from s2geom.core.granule import LAST_LEVEL
from s2geom.core.units import size_text
from s2geom.core.wording import counted


def heading(geometry: Geometry) -> str:
    """Return a shape as one line."""
    root = counted(geometry.concatenation, "table")
    lpa2 = ", LPA2" if geometry.lpa2 else ""
    start = geometry.start_level
    levels = f"levels {start} to {LAST_LEVEL}" if start < LAST_LEVEL else "one level"
    return (
        f"{geometry.granule} pages, {geometry.ipa_bits}-bit IPA{lpa2}: {levels}, "
        f"root of {root}, {size_text(geometry.pgd_size)}"
    )
