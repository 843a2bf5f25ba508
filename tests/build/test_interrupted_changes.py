# SPDX-License-Identifier: MIT
"""Changes that are interrupted: all of one is there, or nothing, whatever comes after.

An exception is raised at a line that runs below the call, as Ctrl-C or exhausted memory
would; which line, hypothesis draws.
"""

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import s2geom
from s2geom import Attributes, Geometry, Step, TableBuilder

SOURCE = str(Path(s2geom.__file__).parent)
MIB, GIB = 1 << 20, 1 << 30
READ_ONLY = Attributes(s2ap=1)

Change = Callable[[TableBuilder], None]


def several(tables: TableBuilder) -> None:
    """Map pages, blocks and groups in one call."""
    pages = [(8 * GIB + (at << 21), at << 12, 4096) for at in range(4)]
    tables.map_all([*pages, (9 * GIB, 0, 4 * MIB), (10 * GIB, 4096, MIB, READ_ONLY)])


CHANGES: dict[str, Change] = {
    "map": lambda tables: tables.map(8 * GIB + 4096, 0, 4 * MIB),
    "map_all": several,
    "remap": lambda tables: tables.remap(0, 1 << 33, 4 * MIB, blocks=False),
    "unmap": lambda tables: tables.unmap(MIB, 2 * GIB),
    "unmap a page": lambda tables: tables.unmap(GIB + 4096, 4096),
    "protect": lambda tables: tables.protect(0, 4 * MIB, attributes=READ_ONLY),
    "protect over several stretches": lambda tables: tables.protect(
        2 * GIB, 64 * 4096, attributes=READ_ONLY
    ),
    "split": lambda tables: tables.split(0, 4 * GIB),
}


def built() -> TableBuilder:
    """Return tables with pages, groups, blocks, and places that were freed."""
    tables = TableBuilder(Geometry(12, 40, 1), 0x8000_0000, record=True)
    tables.map(0, 0, 4 * MIB, blocks=False)
    tables.map(16 * GIB, 0, 8192)
    tables.map(GIB, GIB, 4 * MIB + 8192)
    tables.unmap(16 * GIB, 8192)
    tables.map(2 * GIB, 0, 64 * 4096)
    for page in range(0, 64, 16):
        tables.protect(2 * GIB + page * 4096, 4096, attributes=READ_ONLY)
    return tables


def interrupted(change: Change, tables: TableBuilder, line: int, error: Any) -> int:
    """Make a change, but raise an error at one of its lines; return how many it had."""
    lines = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        if not frame.f_code.co_filename.startswith(SOURCE):
            return None
        if event == "line":
            lines += 1
            if lines == line:
                raise error
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        change(tables)
    except error:
        pass
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.parametrize("name", CHANGES)
@settings(max_examples=30)
@given(data=st.data(), error=st.sampled_from([KeyboardInterrupt, MemoryError]))
def test_an_interrupted_change_is_made_whole_or_not_at_all(
    name: str, data: st.DataObject, error: Any
) -> None:
    """Images and steps are those before or after the change, and stay right."""
    change, tables = CHANGES[name], built()
    done = copy.copy(tables)
    lines = interrupted(change, done, -1, error)
    before, after = state(tables), state(done)
    for _ in range(data.draw(st.integers(1, 3), "interruptions")):
        # How many lines there are depends on what is remembered.
        part = data.draw(st.integers(0, 999), "where, in thousandths")
        interrupted(change, tables, 1 + lines * part // 1000, error)

        assert state(tables) in (before, after)
        if state(tables) == after:
            break
    else:
        change(tables)

    assert after == state(tables)
    for builder in (tables, done):
        builder.map(32 * GIB, 0, 4096)
    assert state(done) == state(tables)


def state(tables: TableBuilder) -> tuple[dict[int, bytes], tuple[Step, ...]]:
    """Return all that a user can see."""
    return tables.images(), tables.changes()


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_can_be_interrupted_anywhere(name: str) -> None:
    """A hundred interruptions of each change leave no damage to the next change."""
    change, tables = CHANGES[name], built()
    done = copy.copy(tables)
    lines = interrupted(change, done, -1, KeyboardInterrupt)
    for line in range(1, lines + 1, 1 + lines // 100):
        again = copy.copy(tables)
        interrupted(change, again, line, KeyboardInterrupt)

        assert state(again) in (state(tables), state(done)), line
        again.map(33 * GIB, 0, 4096)
        again.unmap(33 * GIB, 4096)
        assert again.images() in (tables.images(), done.images()), line
