# SPDX-License-Identifier: MIT
"""`TableBuilder` against a model: a list of what is mapped where.

Whatever is called in whatever order, the tables map what the model says. And a CPU that
walks them between any two steps of a change sees, for each address, what was mapped, or
nothing, or what will be mapped; nothing that it may still have cached is replaced.
"""

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from struct import unpack
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from table_reader import (
    GROUPS,
    Link,
    Segment,
    Shape,
    entries,
    merged,
    runs,
    segment,
)

from s2geom import Attributes, Geometry, InvalidArgument, Step, TableBuilder

BASE = 0x10_0000_0000


class Case(NamedTuple):
    """A geometry, and how the tests' own walk sees it."""

    geometry: Geometry
    shape: Shape
    lpa: bool = False


CASES = {
    "4K, 1 table": Case(Geometry(12, 25, 2), Shape(12, 25, 2, "48")),
    "4K, 2 levels, 16 tables": Case(Geometry(12, 34, 2), Shape(12, 34, 2, "48")),
    "4K, 3 levels": Case(Geometry(12, 36, 1), Shape(12, 36, 1, "48")),
    "4K, LPA2, level -1": Case(
        Geometry(12, 50, -1, lpa2=True), Shape(12, 50, -1, "lpa2")
    ),
    "16K, 1 level, 16 tables": Case(Geometry(14, 29, 3), Shape(14, 29, 3, "48")),
    "16K, 2 levels": Case(Geometry(14, 32, 2), Shape(14, 32, 2, "48")),
    "16K, LPA2": Case(Geometry(14, 40, 1, lpa2=True), Shape(14, 40, 1, "lpa2")),
    "64K, 2 levels": Case(Geometry(16, 33, 2), Shape(16, 33, 2, "48")),
    "64K, LPA": Case(Geometry(16, 46, 1), Shape(16, 46, 1, "lpa"), lpa=True),
    "64K, 52 bits": Case(Geometry(16, 52, 1), Shape(16, 52, 1, "lpa")),
}

KINDS = (
    Attributes(),
    Attributes(s2ap=1, xn=2),
    Attributes(memattr=1, sh=2, software=5),
)


class Model:
    """Segments in order, none touching the next with the same meaning."""

    def __init__(self, segments: Iterable[Segment] = ()) -> None:
        self.segments = list(segments)

    def without(self, start: int, end: int) -> list[Segment]:
        """Return what is mapped outside a range."""
        kept = []
        for part in self.segments:
            if part.ipa < start:
                kept.append(part._replace(end=min(part.end, start)))
            if end < part.end:
                first = max(part.ipa, end)
                pa = part.pa + first - part.ipa
                kept.append(part._replace(ipa=first, pa=pa))
        return kept

    def within(self, start: int, end: int) -> list[Segment]:
        """Return what is mapped inside a range."""
        found = []
        for part in self.segments:
            first, last = max(part.ipa, start), min(part.end, end)
            if first < last:
                pa = part.pa + first - part.ipa
                found.append(part._replace(ipa=first, end=last, pa=pa))
        return found

    def put(self, start: int, end: int, parts: list[Segment]) -> None:
        """Let parts take the place of what is in a range."""
        self.segments = merged(sorted(self.without(start, end) + parts))


class Watcher:
    """Carries steps out, one at a time, and looks as a CPU would in between."""

    def __init__(self, case: Case, root: int) -> None:
        self.shape, self.root = case.shape, root
        self.page = 1 << case.shape.page_shift
        self.memory: dict[int, bytearray] = {}  # by page
        self.known: dict[tuple[int, int], list[Segment | Link]] = {}
        self.broken: set[int] = set()  # made invalid, but maybe cached
        self.lost: list[Segment] = []  # no longer mapped, but maybe cached
        self.unseen: set[int] = set()  # tables written since the last barrier
        self.reached = {root}

    def read(self, address: int, size: int) -> bytes:
        """Return bytes of memory, which is zero where nothing was written."""
        pages = range(address & -self.page, address + size, self.page)
        found = b"".join(self.memory.get(page, bytes(self.page)) for page in pages)
        return found[address - pages[0] :][:size]

    def look(self) -> tuple[list[Segment], set[int]]:
        """Return what is mapped now, and by which tables."""
        shape, reached = self.shape, set[int]()

        def visit(level: int, table: int, base: int, size: int) -> Iterator[Segment]:
            assert table not in reached
            reached.add(table)
            found = self.known.get((table, base))
            if found is None:
                found = [
                    entry if isinstance(entry, Link) else segment(entry)
                    for entry in entries(shape, level, self.read(table, size), base)
                ]
                self.known[table, base] = found
            for each in found:
                if isinstance(each, Link):
                    yield from visit(level + 1, each.table, each.ipa, self.page)
                else:
                    yield each

        seen = merged(visit(shape.start_level, self.root, 0, shape.pgd_size))
        return seen, reached

    def follow(
        self, steps: tuple[Step, ...], before: list[Segment], after: list[Segment]
    ) -> None:
        """Carry steps out that lead from one state to another."""
        was, will, gone = Model(before), Model(after), Model(before)
        for step in steps:
            self.carry_out(step)
            seen, reached = self.look()
            for part in seen:
                there = [each.within(part.ipa, part.end) for each in (was, will)]

                assert is_made_of(part, there[0] + there[1])
            assert not (reached - self.reached) & self.unseen, "not seen to be filled"
            self.reached = reached
            gone = Model(before)
            for part in seen:
                gone.put(part.ipa, part.end, [])
            self.lost = gone.segments if step.kind == "write" else []

        assert not self.broken, "not invalidated"

    def carry_out(self, step: Step) -> None:
        """Carry one step out."""
        if step.kind == "write":
            assert step.size == len(step.data)
            first, end = step.address & -self.page, step.address + step.size
            for page in range(first, end, self.page):
                start = max(page, step.address)
                data = step.data[start - step.address : page + self.page - step.address]
                self.store(start, data)
        elif step.kind == "invalidate":
            for part in self.lost:
                assert step.address <= part.ipa
                assert part.end <= step.address + step.size
            self.broken.clear()
        else:
            assert ("barrier", 0, 0) == (step.kind, step.address, step.size)
            self.unseen.clear()

    def store(self, address: int, data: bytes) -> None:
        """Write descriptors that are in one page."""
        count = len(data) // 8
        old = unpack(f"<{count}Q", self.read(address, len(data)))
        new = unpack(f"<{count}Q", data)
        changes = enumerate(zip(old, new, strict=True))
        for at, (was, will) in changes if any(old) or self.broken else ():
            if was & 1 and was != will:
                assert will == 0, "one valid descriptor became another"
                self.broken.add(address + 8 * at)
            if will & 1 and self.broken:
                assert address + 8 * at not in self.broken, "made before invalidated"
        start = address & -self.page
        page = self.memory.setdefault(start, bytearray(self.page))
        page[address - start : address - start + len(data)] = data
        self.unseen.add(start)
        root_end = self.root + self.shape.pgd_size
        for known in list(self.known):
            in_root = known[0] == self.root and self.root <= address < root_end
            if known[0] == start or in_root:
                del self.known[known]


def is_made_of(part: Segment, others: list[Segment]) -> bool:
    """Return whether each page of a part is as one of the others has it."""
    at = part.ipa
    for other in sorted(others):
        alike = (
            other.attributes == part.attributes
            and other.pa - other.ipa == part.pa - part.ipa
        )
        if alike and other.ipa <= at:
            at = max(at, other.end)
    return at >= part.end


class Machine(RuleBasedStateMachine):
    """Calls in any order, near the places where tables and blocks begin and end."""

    case: Case

    def __init__(self) -> None:
        super().__init__()
        self.geometry, self.shape, lpa = self.case
        self.page = 1 << self.shape.page_shift
        self.last = 1 << self.shape.ipa_bits
        self.builder = TableBuilder(self.geometry, BASE, lpa, record=True)
        self.model = Model()
        self.watcher = Watcher(self.case, BASE)
        self.done = 0
        # The bottom and the top, and around what an entry and a group maps
        sizes = set()
        for level in range(self.shape.start_level, 4):
            size = 1 << self.shape.shift(level)
            sizes |= {size, size * GROUPS.get((self.shape.page_shift, level), 1)}
        near = {at for size in sizes for at in (size, 2 * size) if at < self.last}
        self.anchors = sorted({0, self.last, *near})

    # What is drawn

    def _range(self, data: st.DataObject) -> tuple[int, int]:
        ends = []
        for name in ("from", "to"):
            anchor = data.draw(st.sampled_from(self.anchors), name)
            pages = data.draw(st.sampled_from([0, 0, 0, 1, -1, 3, -17]))
            ends.append(min(max(anchor + pages * self.page, 0), self.last))
        start, end = sorted(ends)
        if start == end:
            start = min(start, self.last - self.page)
            end = start + self.page
        return start, end

    def _target(self, data: st.DataObject, start: int, end: int) -> tuple[int, bool]:
        """Return an output address, and whether there may be blocks."""
        bits = 48 if self.shape.layout == "48" else 52
        far = (1 << bits - 1) + (1 << 21)
        pa = start + data.draw(st.sampled_from([0, 1 << 46, self.page, far]))
        blocks = data.draw(st.booleans())
        if pa + end - start > 1 << bits:
            pa = start
        if (end - start) // self.page > 1200:  # not all of them by pages
            pa, blocks = start + (pa - start & 1 << 46), True
        return pa, blocks

    def _meaning(self, attributes: Attributes) -> int:
        bits = int(attributes)
        return bits & ~(3 << 8) if self.shape.layout == "lpa2" else bits

    def _settle(self, start: int, end: int, parts: list[Segment]) -> None:
        """Follow the steps since the last time; a range is now as given."""
        before = self.model.segments
        self.model.put(start, end, parts)
        steps = self.builder.changes()
        self.watcher.follow(steps[self.done :], before, self.model.segments)
        self.done = len(steps)

    # What is called

    @rule(data=st.data(), attributes=st.sampled_from(KINDS))
    def map(self, data: st.DataObject, attributes: Attributes) -> None:
        """What is not mapped can be; what is mapped is not changed by it."""
        start, end = self._range(data)
        pa, blocks = self._target(data, start, end)
        there = self.model.within(start, end)
        part = Segment(start, end, pa, self._meaning(attributes))
        refused = pytest.raises(InvalidArgument, match="overlaps")
        with refused if there else nullcontext():
            self.builder.map(
                start, pa, end - start, attributes=attributes, blocks=blocks
            )
        self._settle(start, end, there or [part])

    @rule(data=st.data(), attributes=st.sampled_from(KINDS))
    def map_and_unmap(self, data: st.DataObject, attributes: Attributes) -> None:
        """What is unmapped again leaves no trace."""
        start, end = self._range(data)
        pa, blocks = self._target(data, start, end)
        if self.model.within(start, end):
            return
        images = self.builder.images()
        self.builder.map(start, pa, end - start, attributes=attributes, blocks=blocks)
        part = Segment(start, end, pa, self._meaning(attributes))
        self._settle(start, end, [part])
        self.builder.unmap(start, end - start)
        self._settle(start, end, [])

        assert images == self.builder.images()

    @rule(data=st.data(), attributes=st.sampled_from(KINDS))
    def remap(self, data: st.DataObject, attributes: Attributes) -> None:
        """Whatever is there makes way."""
        start, end = self._range(data)
        pa, blocks = self._target(data, start, end)
        self.builder.remap(start, pa, end - start, attributes=attributes, blocks=blocks)
        part = Segment(start, end, pa, self._meaning(attributes))
        self._settle(start, end, [part])

    @rule(data=st.data())
    def unmap(self, data: st.DataObject) -> None:
        """What is outside of the range stays, holes do not matter."""
        start, end = self._range(data)
        self.builder.unmap(start, end - start)
        self._settle(start, end, [])

    @rule(data=st.data(), attributes=st.sampled_from(KINDS))
    def protect(self, data: st.DataObject, attributes: Attributes) -> None:
        """All of it changes, or nothing."""
        start, end = self._range(data)
        there = self.model.within(start, end)
        whole = sum(part.end - part.ipa for part in there) == end - start
        refused = pytest.raises(InvalidArgument, match="is not all mapped")
        with nullcontext() if whole else refused:
            self.builder.protect(start, end - start, attributes=attributes)
        if whole:
            meaning = self._meaning(attributes)
            there = [part._replace(attributes=meaning) for part in there]
        self._settle(start, end, there)

    @precondition(lambda self: self.model.segments)
    @rule(data=st.data(), attributes=st.sampled_from(KINDS))
    def protect_a_part(self, data: st.DataObject, attributes: Attributes) -> None:
        """A part of what is mapped changes, from its beginning or from its middle."""
        part = data.draw(st.sampled_from(self.model.segments))
        pages = (part.end - part.ipa) // self.page
        start = part.ipa + self.page * data.draw(st.sampled_from([0, pages // 2]))
        size = self.page * data.draw(st.sampled_from([1, 17, pages]))
        end = min(start + size, part.end)
        self.builder.protect(start, end - start, attributes=attributes)
        meaning = self._meaning(attributes)
        there = self.model.within(start, end)
        self._settle(start, end, [p._replace(attributes=meaning) for p in there])

    @precondition(lambda self: self.model.segments)
    @rule(data=st.data())
    def split(self, data: st.DataObject) -> None:
        """Only pages are left, and they map the same."""
        part = data.draw(st.sampled_from(self.model.segments))
        pages = data.draw(st.sampled_from([1, 40, 600]))
        start, end = part.ipa, min(part.ipa + pages * self.page, part.end)
        self.builder.split(start, end - start)
        self._settle(start, end, self.model.within(start, end))
        kinds = {
            (run.level, run.contiguous)
            for run in runs(self.shape, BASE, self.watcher.read)
            if run.ipa < end and start < run.end
        }

        assert {(3, False)} == kinds

    # What always holds

    @invariant()
    def tables_map_what_the_model_says(self) -> None:
        """Every byte that was ever written is zero, or in an image that is linked."""
        seen, reached = self.watcher.look()
        images = self.builder.images()

        assert self.model.segments == seen
        assert reached == set(images)
        for address, image in images.items():
            assert image == self.watcher.read(address, len(image))
        for start, page in self.watcher.memory.items():
            assert start in images or start < BASE + len(images[BASE]) or not any(page)

    @invariant()
    def no_table_is_empty(self) -> None:
        """The PGD is the first image; the others hold something."""
        (root, _), *others = self.builder.images().items()

        assert root == BASE
        assert all(any(image) and table > BASE for table, image in others)


@pytest.mark.parametrize("name", CASES)
def test_calls_in_any_order_leave_what_the_model_says(name: str) -> None:
    """Random changes agree with a model, for each page size, layout and root."""

    class ThisMachine(Machine):
        case = CASES[name]

    run_state_machine_as_test(
        ThisMachine, settings=settings(max_examples=10, stateful_step_count=10)
    )
