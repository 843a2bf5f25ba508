# SPDX-License-Identifier: MIT
"""What is said of a shape: its heading, its facts and their labels."""

from typing import Any

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


def geometry_facts(shape: Geometry) -> dict[str, object]:
    """Return what people ask about a shape, under the field's names."""
    tables = f"{shape.concatenation}"
    if shape.concatenation > 1:
        tables += " (concatenated)"
    return {
        "levels": shape.levels,
        "start level": shape.start_level,
        "root tables": tables,
        "PGD entries": shape.pgd_entries,
        "PGD size": f"{size_text(shape.pgd_size)} ({counted(shape.pgd_pages, 'page')})",
        "PGD alignment": size_text(shape.pgd_alignment),
        "entry maps": f"{size_text(shape.pgdir_size)} (shift {shape.pgdir_shift})",
        "cache pages": shape.min_cache_pages,
        "T0SZ": shape.t0sz,
        "paging form": ",".join(map(str, shape.paging_form)),
        "LPA2": "yes" if shape.lpa2 else "no",
    }


def geometry_data(shape: Geometry) -> dict[str, Any]:
    """Return a shape with everything derived from it, as plain JSON types."""
    return {
        **shape.to_dict(),
        "levels": shape.levels,
        "concatenation": shape.concatenation,
        "pgd_entries": shape.pgd_entries,
        "pgd_size": shape.pgd_size,
        "pgd_alignment": shape.pgd_alignment,
        "pgd_pages": shape.pgd_pages,
        "pgdir_shift": shape.pgdir_shift,
        "min_cache_pages": shape.min_cache_pages,
        "t0sz": shape.t0sz,
        "paging_form": list(shape.paging_form),
        "table_levels": [
            {
                "number": level.number,
                "shift": level.shift,
                "index_bits": level.index_bits,
                "entries": level.entries,
                "tables": level.tables,
                "entry_size": level.entry_size,
                "leaf": level.leaf,
                "contiguous": level.contiguous,
            }
            for level in shape.table_levels
        ],
    }
