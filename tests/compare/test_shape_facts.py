# SPDX-License-Identifier: MIT
"""The facts of a shape: every one in words and as data, from one list."""

import json

from s2geom import Geometry
from s2geom.compare.shape_facts import (
    LEVEL_FACTS,
    SHAPE_FACTS,
    geometry_data,
    geometry_facts,
    heading,
    level_table,
)

THE_PATCH = Geometry(14, 40, 2)


def test_facts_in_words() -> None:
    """Sizes are in the largest unit without a fraction, under the field's labels."""
    assert {
        "levels": "2",
        "start level": "2",
        "root tables": "16 (concatenated)",
        "PGD entries": "32768",
        "PGD size": "256 KiB (16 pages)",
        "PGD alignment": "256 KiB",
        "entry maps": "32 MiB (shift 25)",
        "cache pages": "1",
        "T0SZ": "24",
        "paging form": "14,11,15",
        "LPA2": "no",
    } == geometry_facts(THE_PATCH)
    assert "1" == geometry_facts(Geometry(12, 48, 0))["root tables"]


def test_facts_as_data() -> None:
    """Plain JSON has every fact and every level, and makes the shape again."""
    data = geometry_data(THE_PATCH)

    assert data == json.loads(json.dumps(data))
    assert {fact.name for fact in SHAPE_FACTS} <= data.keys()
    assert [14, 11, 15] == data["paging_form"]
    assert THE_PATCH == Geometry.from_dict(THE_PATCH.to_dict())
    assert [fact.name for fact in LEVEL_FACTS] == [*data["table_levels"][0]]
    assert [(2, 25, 16), (3, 14, 1)] == [
        (level["number"], level["shift"], level["tables"])
        for level in data["table_levels"]
    ]


def test_levels_as_a_table() -> None:
    """Numbers stay numbers; what a level does not have is None."""
    header, rows = level_table(Geometry(16, 48, 1))

    assert ["level", "index bits", "entries", "tables"] == header[:4]
    assert [1, 6, 64, 1, "4 TiB", None, None] == rows[0]
    assert [3, 13, 8192, 1, "64 KiB", "page", 32] == rows[2]


def test_a_heading_is_one_line() -> None:
    """It has pages, width, levels and root; a tree of one level says so."""
    assert (
        "16K pages, 40-bit IPA: levels 2 to 3, root of 16 tables, 256 KiB"
        == heading(THE_PATCH)
    )
    assert "one level" in heading(Geometry(12, 20, 3))
    assert "52-bit IPA, LPA2" in heading(Geometry(12, 52, 0, lpa2=True))
