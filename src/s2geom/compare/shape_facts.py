# SPDX-License-Identifier: MIT
"""The facts of a shape, one row each: its name in Python, its label, how it is written.

The columns of a survey, the reports of the command line, the tables of a notebook and
the calculator are all made from the rows of `SHAPE_FACTS` and `LEVEL_FACTS`.
"""

from collections.abc import Callable, Iterable
from typing import Any

from attrs import frozen

from s2geom.core.geometry import Geometry, Level
from s2geom.core.granule import LAST_LEVEL
from s2geom.core.units import size_text
from s2geom.core.wording import cell_text, counted


@frozen
class ShapeFact:
    """One property of a shape or of a level.

    Args:
        name: The property's name in Python.
        label: What people call it; empty where the text of another fact includes it.
        write: Makes what people read of its owner; None where the value will do.
        meaning: What it is, in a sentence without a number.
    """

    name: str
    label: str
    write: Callable[[Any], object] | None = None
    meaning: str = ""

    def value(self, owner: object) -> Any:
        """Return the value of a shape or of a level."""
        return getattr(owner, self.name)

    def shown(self, owner: object) -> object:
        """Return what people read; a number stays one, so that it can stand right."""
        return self.write(owner) if self.write else self.value(owner)


SHAPE_FACTS = (
    ShapeFact(
        "levels", "levels", meaning="how many tables a walk reads, one for each level"
    ),
    ShapeFact(
        "start_level", "start level", meaning="the level of the root; the last one is 3"
    ),
    ShapeFact(
        "concatenation",
        "root tables",
        lambda g: f"{g.concatenation}" + " (concatenated)" * (g.concatenation > 1),
        "how many tables stand side by side at the start level, at most 16",
    ),
    ShapeFact("pgd_entries", "PGD entries", meaning="entries of all root tables"),
    ShapeFact(
        "pgd_size",
        "PGD size",
        lambda g: f"{size_text(g.pgd_size)} ({counted(g.pgd_pages, 'page')})",
        "memory of the root in one piece; KVM allocates whole pages since v5.10",
    ),
    ShapeFact(
        "pgd_alignment",
        "PGD alignment",
        lambda g: size_text(g.pgd_alignment),
        "VTTBR_EL2.BADDR has to be a multiple of it",
    ),
    ShapeFact("pgd_pages", ""),
    ShapeFact(
        "pgdir_shift",
        "entry maps",
        lambda g: f"{size_text(g.pgdir_size)} (shift {g.pgdir_shift})",
        "what one entry of the root covers",
    ),
    ShapeFact(
        "min_cache_pages",
        "cache pages",
        meaning="tables that one new mapping may need below the root "
        "(KVM_MMU_CACHE_MIN_PAGES)",
    ),
    ShapeFact("t0sz", "T0SZ", meaning="VTCR_EL2.T0SZ: 64 less the width of the IPA"),
    ShapeFact(
        "paging_form",
        "paging form",
        lambda g: ",".join(map(str, g.paging_form)),
        "bits of the page offset, then index bits from the leaf to the root",
    ),
    ShapeFact(
        "lpa2", "LPA2", meaning="VTCR_EL2.DS: descriptors of 4K and 16K with 52 bits"
    ),
)
"""What people ask about a shape."""

LEVEL_FACTS = (
    ShapeFact("number", "level"),
    ShapeFact("shift", ""),
    ShapeFact("index_bits", "index bits"),
    ShapeFact("entries", "entries"),
    ShapeFact("tables", "tables"),
    ShapeFact("entry_size", "entry maps", lambda level: size_text(level.entry_size)),
    ShapeFact("leaf", "leaf"),
    ShapeFact("contiguous", "contiguous", lambda level: level.contiguous or None),
)
"""What people ask about a level of lookup."""


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


def _labelled(facts: Iterable[ShapeFact], owner: object) -> dict[str, object]:
    return {fact.label: fact.shown(owner) for fact in facts if fact.label}


def geometry_facts(shape: Geometry) -> dict[str, str]:
    """Return what people ask about a shape, by label."""
    facts = _labelled(SHAPE_FACTS, shape)
    return {label: cell_text(value) for label, value in facts.items()}


def level_table(shape: Geometry) -> tuple[list[str], list[list[object]]]:
    """Return the levels of a shape as a header and a row each."""
    levels = [_labelled(LEVEL_FACTS, level) for level in shape.table_levels]
    return [*levels[0]], [[*facts.values()] for facts in levels]


def geometry_data(shape: Geometry) -> dict[str, Any]:
    """Return a shape with everything derived from it, as plain JSON types."""
    return {
        **shape.to_dict(),
        **{fact.name: fact.value(shape) for fact in SHAPE_FACTS},
        "paging_form": list(shape.paging_form),
        "table_levels": [_level_data(level) for level in shape.table_levels],
    }


def _level_data(level: Level) -> dict[str, Any]:
    return {fact.name: fact.value(level) for fact in LEVEL_FACTS}
