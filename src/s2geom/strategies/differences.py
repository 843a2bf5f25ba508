# SPDX-License-Identifier: MIT
"""`difference`: what tables map, against what they were asked to map."""

from collections.abc import Iterable, Iterator
from operator import attrgetter, itemgetter
from typing import Any

from attrs import evolve, fields

from s2geom.core.errors import S2GeomError
from s2geom.core.geometry import Geometry
from s2geom.tables.attributes import Attributes
from s2geom.tables.layout import AddressLayout
from s2geom.tables.memory import Memory
from s2geom.tables.scan import Mapping, scan
from s2geom.tables.trace import trace

Placement = tuple[int, int, int, Attributes]
"""``(ipa, pa, size, attributes)``."""

State = tuple[int, Attributes | None] | None
"""How far the output is above the IPA, and the attributes if they count; or nothing."""


def attributes_text(attributes: Attributes) -> str:
    """Return the call that makes attributes, without the defaults."""
    given = [
        f"{row.name}={getattr(attributes, row.name)!r}"
        for row in fields(Attributes)
        if getattr(attributes, row.name) != row.default
    ]
    return f"Attributes({', '.join(given)})"


def placement_text(placement: Placement) -> str:
    """Return a placement as Python."""
    ipa, pa, size, attributes = placement
    return f"({ipa:#x}, {pa:#x}, {size:#x}, {attributes_text(attributes)})"


def difference(
    shape: Geometry,
    root: int,
    mappings: Iterable[Placement],
    tables: Any,
    *,
    attributes: bool,
) -> str | None:
    """Return what is wrong with tables, in a sentence; None if nothing is.

    Args:
        shape: Their shape.
        root: Physical address of the PGD, in bytes.
        mappings: What they must map.
        tables: Bytes by physical address.
        attributes: Whether attributes count.
    """
    try:
        memory = Memory(tables)
        runs = [*scan(shape, root, memory.read)]
    except (S2GeomError, TypeError) as error:
        return f"the tables cannot be read: {error}"
    made = [(run.ipa, run.output_address, run.size, run.attributes) for run in runs]
    wanted, found = (
        _states(shape, placements, attributes) for placements in (mappings, made)
    )
    return _first_difference(wanted, found) or next(
        _broken_groups(shape, root, runs, memory), None
    )


def _states(
    shape: Geometry, placements: Iterable[Placement], attributes: bool
) -> dict[int, State]:
    """Return what each address is mapped to where that may change."""
    has_sh = AddressLayout.of(shape) is not AddressLayout.LPA2
    states: dict[int, State] = {}
    for ipa, pa, size, values in sorted(placements, key=itemgetter(0)):
        heeded = values if has_sh else evolve(values, sh=None)
        states[ipa] = pa - ipa, heeded if attributes else None
        states[ipa + size] = None  # the next may begin here
    return states


def _first_difference(wanted: dict[int, State], found: dict[int, State]) -> str | None:
    """Return where two translations begin to differ, and how."""
    right: State = None
    made: State = None
    for ipa in sorted({*wanted, *found}):
        right, made = wanted.get(ipa, right), found.get(ipa, made)
        if right != made:
            must, but = _state_text(ipa, right), _state_text(ipa, made)
            return f"{ipa:#x} must be {must}, but is {but}"
    return None


def _state_text(ipa: int, state: State) -> str:
    if state is None:
        return "unmapped"
    offset, values = state
    rest = "" if values is None else f" with {attributes_text(values)}"
    return f"mapped to {ipa + offset:#x}{rest}"


def _broken_groups(
    shape: Geometry, root: int, runs: Iterable[Mapping], memory: Memory
) -> Iterator[str]:
    """Yield what is wrong with the contiguous groups at both ends of each mapping."""
    for run in runs:
        for ipa in (run.ipa, run.ipa + run.size - 1):
            wrong = _broken_group(shape, root, ipa, memory)
            if wrong:
                yield wrong


_leaf_form = attrgetter("level", "contiguous", "output_address", "attributes")


def _broken_group(shape: Geometry, root: int, ipa: int, memory: Memory) -> str | None:
    """Return what is wrong with the contiguous group of an address, if it is in one."""
    number, contiguous, output, values = _leaf_at(shape, root, ipa, memory)
    if not contiguous:
        return None
    level = shape.level(number)
    group = level.contiguous * level.entry_size
    if not group:
        return f"the contiguous bit at {ipa:#x} makes a group wider than the IPA space"
    first = ipa & -group
    for offset in range(0, group, level.entry_size):
        expected = number, True, (output & -group) + offset, values
        if _leaf_at(shape, root, first + offset, memory) != expected:
            return f"the contiguous group at {first:#x} breaks off at +{offset:#x}"
    return None


def _leaf_at(shape: Geometry, root: int, ipa: int, memory: Memory) -> tuple[Any, ...]:
    """Return level, contiguous bit, output address and attributes of an address."""
    entry = trace(shape, root, ipa, memory.read).steps[-1].descriptor
    form: tuple[Any, ...] = _leaf_form(entry)
    return form
