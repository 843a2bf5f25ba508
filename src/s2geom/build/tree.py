# SPDX-License-Identifier: MIT
"""The engine of `TableBuilder`: tables as they lie in memory, and changes to them.

*State.* The images are the only state: what is mapped is read from them again, so that
there is nothing beside them that could disagree. No table but the PGD is ever empty.

*Changes.* There is one, `Tree.replace`: all that a range of addresses held goes, and
runs of leaves take its place. What goes is cleared from the top: a table without
anything left in it is unlinked at once, not emptied entry by entry. What comes is made
from the bottom: the leaves, the tables that hold them, the links to those, up to
the tables that are already there. Both are planned before anything is written.

*Order.* Descriptors are made invalid, then the TLB is invalidated, then new tables are
filled, and at last linked. So every change breaks before it makes, and no table is
reachable before it is complete.
"""

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop

from attrs import define, field

from s2geom.build.cover import LeafRun
from s2geom.build.word_runs import IN_PLACE_BITS, WORD_BYTES, WordRun, read
from s2geom.core.errors import InvalidArgument
from s2geom.core.geometry import Geometry, Level
from s2geom.core.granule import LAST_LEVEL
from s2geom.tables.descriptor import CONTIGUOUS_BIT
from s2geom.tables.layout import TABLE_OR_PAGE, AddressLayout

WRITE = "write"
INVALIDATE = "invalidate"
BARRIER = "barrier"

RecordedStep = tuple[str, int, bytes | int]
"""A kind, where, and what: bytes to write, or how many bytes of IPA to invalidate."""

Leaves = tuple[Level, WordRun]
"""Leaves to install: the level they stand at, and their descriptors."""

Address = int
Table = bytes | bytearray
"""One that has not changed since it was filled stays `bytes`, and is never copied."""


@define(eq=False)
class _Plan:
    """What one change does, in the order in which it is done."""

    clear: list[tuple[Address, int, int]] = field(factory=list)
    """Tables that stay, and from which entry to which they lose everything."""

    free: set[Address] = field(factory=set)
    """Tables that nothing leads to any longer."""

    fill: list[tuple[Address, bytes]] = field(factory=list)
    """New tables."""

    write: list[tuple[Address, WordRun]] = field(factory=list)
    """Tables that stay, and descriptors for their empty entries."""


@define(eq=False)
class Tree:
    """Tables in memory.

    Args:
        geometry: Their shape.
        layout: Where descriptors keep addresses.
        root: Address of the PGD; the other tables are above it.
    """

    geometry: Geometry
    layout: AddressLayout
    root: Address
    tables: dict[Address, Table] = field(init=False)
    changes: list[RecordedStep] = field(init=False, factory=list)
    _levels: tuple[Level, ...] = field(init=False)
    _next: Address = field(init=False)
    _freed: list[Address] = field(init=False, factory=list)  # a heap, below `_next`

    def __attrs_post_init__(self) -> None:
        size, page = self.geometry.pgd_size, self.geometry.page_size
        self.tables = {self.root: bytes(size)}
        self._levels = self.geometry.table_levels
        self._next = -(-(self.root + size) // page) * page

    # Reading

    def runs(self, start: int, end: int) -> Iterator[tuple[LeafRun, int]]:
        """Yield the leaves that map a part of a range, and each run's first word.

        Leaves are whole, but a contiguous group is cut where the range ends.
        """
        return self._runs(0, self.root, 0, start, end)

    def _runs(
        self, depth: int, address: Address, base: int, start: int, end: int
    ) -> Iterator[tuple[LeafRun, int]]:
        level, table = self._levels[depth], self.tables[address]
        index, last = _entries(level, table, base, start, end)
        words = read(table, index, last)
        at = 0
        while at < len(words):
            word, count = words[at], 1
            ipa = base + ((index + at) << level.shift)
            if _is_link(level, word):
                yield from self._runs(depth + 1, self._linked(word), ipa, start, end)
            elif word:
                count = _alike(table, words, index, at, level.shift)
                pa = self.layout.decode(word, level.shift)
                grouped = bool(level.contiguous and word & CONTIGUOUS_BIT)
                yield LeafRun(level, ipa, pa, count, grouped), word
            at += count

    def _linked(self, word: int) -> Address:
        return self.layout.decode(word, self.geometry.page_shift)

    def _find(self, level: Level, number: int, gone: set[Address]) -> Address | None:
        """Return the table of a level with a number, unless it is or will be gone."""
        ipa = number << level.shift + self.geometry.stride
        address, base = self.root, 0
        for above in self._levels[: level.number - self.geometry.start_level]:
            index = (ipa - base) >> above.shift
            (word,) = read(self.tables[address], index, index + 1)
            if not _is_link(above, word):
                return None
            address, base = self._linked(word), base + (index << above.shift)
            if address in gone:
                return None
        return address

    # Changing

    def replace(self, start: int, end: int, leaves: Sequence[Leaves]) -> None:
        """Let leaves take the place of everything in a range.

        Args:
            start: The range's first IPA. No leaf or contiguous group reaches from the
                range over one of its ends.
            end: The IPA after it. An empty range replaces nothing: then there must be
                nothing where the leaves go.
            leaves: What takes its place, within it.

        Raises:
            InvalidArgument: There is no room for tables; nothing has changed then.
        """
        plan = _Plan()
        if start < end:
            kept = [_span(level, words) for level, words in leaves]
            self._plan_clear(plan, 0, self.root, 0, (start, end), kept)
        before = self._next, self._freed.copy()
        self._freed += plan.free
        heapify(self._freed)
        try:
            self._plan_fill(plan, leaves)
        except InvalidArgument:
            self._next, self._freed = before
            raise
        self._carry_out(plan, start, end)

    def _plan_clear(
        self,
        plan: _Plan,
        depth: int,
        address: Address,
        base: int,
        gone: tuple[int, int],
        kept: list[tuple[int, int, int]],
    ) -> None:
        level, table = self._levels[depth], self.tables[address]
        first, last = _entries(level, table, base, *gone)
        # What is inside the range goes. The tables below the first and the last entry
        # may reach out of it, and stay if they have something there, or will.
        for index in sorted({first, last - 1}):
            (word,) = read(table, index, index + 1)
            ipa = base + (index << level.shift)
            if _is_link(level, word) and self._stays(level, ipa, gone, kept):
                child = self._linked(word)
                self._plan_clear(plan, depth + 1, child, ipa, gone, kept)
                first, last = (index + 1, last) if index == first else (first, index)
        words = read(table, first, last)
        used = [at for at, word in enumerate(words) if word]
        if used:
            plan.clear.append((address, first + used[0], first + used[-1] + 1))
        for at in used:
            if _is_link(level, words[at]):
                plan.free.update(self._below(depth + 1, self._linked(words[at])))

    def _stays(
        self,
        level: Level,
        ipa: int,
        gone: tuple[int, int],
        kept: list[tuple[int, int, int]],
    ) -> bool:
        """Return whether the table that an entry links to is still needed."""
        (start, end), after = gone, ipa + level.entry_size
        if start <= ipa and after <= end:
            return False
        return (
            any(
                number > level.number and first < after and ipa < last
                for number, first, last in kept
            )
            or (ipa < start and any(self.runs(ipa, start)))
            or (end < after and any(self.runs(end, after)))
        )

    def _below(self, depth: int, address: Address) -> Iterator[Address]:
        """Yield a table and all that it leads to."""
        yield address
        level, table = self._levels[depth], self.tables[address]
        if level.number < LAST_LEVEL:
            for word in read(table, 0, len(table) // WORD_BYTES):
                if _is_link(level, word):
                    yield from self._below(depth + 1, self._linked(word))

    def _plan_fill(self, plan: _Plan, leaves: Sequence[Leaves]) -> None:
        links: list[WordRun] = []
        for level in reversed(self._levels):
            here = [words for at, words in leaves if at.number == level.number]
            here = sorted(here + links, key=lambda words: words.index)
            if level.number == self.geometry.start_level:
                plan.write += [(self.root, words) for words in here]
            else:
                links = self._fill_level(plan, level, here)

    def _fill_level(
        self, plan: _Plan, level: Level, here: list[WordRun]
    ) -> list[WordRun]:
        """Plan the descriptors of one level, and return the links that they need."""
        entries = self.geometry.granule.entries
        links: list[WordRun] = []
        shift = self.geometry.page_shift
        parts: dict[int, list[WordRun]] = {}  # by table, of those not filled by one run
        for words in here:
            start = words.index
            while start < words.end:
                number, offset = divmod(start, entries)
                whole = 0 if offset else (words.end - start) // entries
                end = min(start + max(whole, 1) * entries - offset, words.end)
                part = words.part(start, end)
                if whole:  # nothing else has been in these tables
                    addresses = self._take(whole)
                    plan.fill += zip(addresses, part.tables(entries), strict=True)
                    links += _links(self.layout, shift, number, addresses)
                else:
                    parts.setdefault(number, []).append(part)
                start = end
        for number, some in parts.items():
            address = self._find(level, number, plan.free)
            if address is None:
                (address,) = self._take(1)
                plan.fill.append((address, self._new_table(some)))
                links += _links(self.layout, shift, number, [address])
            else:
                plan.write += [(address, part) for part in some]
        return links

    def _new_table(self, parts: list[WordRun]) -> bytes:
        table = bytearray(self.geometry.page_size)
        for words in parts:
            self._place(table, words)
        return bytes(table)

    def _place(self, table: bytearray, words: WordRun) -> tuple[int, bytes]:
        """Put descriptors into a table, and return at which byte and what."""
        at = words.index * WORD_BYTES % len(table)
        image = words.image()
        table[at : at + len(image)] = image
        return at, image

    def _take(self, count: int) -> list[Address]:
        """Take the lowest free places for tables."""
        page = self.geometry.page_size
        found = [heappop(self._freed) for _ in range(min(count, len(self._freed)))]
        fresh = count - len(found)
        end, limit = self._next + fresh * page, 1 << self.layout.address_bits
        if end > limit:
            raise InvalidArgument(
                f"no room for {fresh} more tables: they would end at {end:#x}, but "
                f"{self.layout.address_bits}-bit addresses end at {limit:#x}; "
                "use a lower base"
            )
        found += range(self._next, end, page)
        self._next = end
        return found

    def _carry_out(self, plan: _Plan, start: int, end: int) -> None:
        log = self.changes.append
        for address, first, last in plan.clear:
            at, zeros = first * WORD_BYTES, bytes((last - first) * WORD_BYTES)
            self._open(address)[at : at + len(zeros)] = zeros
            log((WRITE, address + at, zeros))
        empty = bytes(self.geometry.page_size)
        for address in sorted(plan.free):
            # Nothing leads here any more. It is cleared for whoever has it next.
            del self.tables[address]
            log((WRITE, address, empty))
        if plan.clear:
            log((INVALIDATE, start, end - start))
        if plan.fill:
            self.tables.update(plan.fill)
            self.changes += [(WRITE, address, table) for address, table in plan.fill]
            log((BARRIER, 0, 0))
        for address, words in plan.write:
            at, image = self._place(self._open(address), words)
            log((WRITE, address + at, image))

    def _open(self, address: Address) -> bytearray:
        """Return a table for writing."""
        table = self.tables[address]
        if isinstance(table, bytes):
            table = self.tables[address] = bytearray(table)
        return table


def _links(
    layout: AddressLayout, shift: int, number: int, addresses: Sequence[Address]
) -> Iterator[WordRun]:
    """Yield the descriptors of new tables, as few runs of words as they can be."""
    start = 0
    while start < len(addresses):
        first, count = addresses[start], len(addresses) - start
        # Addresses ascend, so the distance of two says whether there is a gap.
        while (
            addresses[start + count - 1] - first >> shift >= count
            or (addresses[start + count - 1] ^ first) >> IN_PLACE_BITS
        ):
            count = -(-count // 2)
        bits = layout.encode(first, shift) | TABLE_OR_PAGE
        yield WordRun(number + start, bits, shift, count)
        start += count


def _is_link(level: Level, word: int) -> bool:
    return level.number < LAST_LEVEL and word & TABLE_OR_PAGE == TABLE_OR_PAGE


def _entries(
    level: Level, table: Table, base: int, start: int, end: int
) -> tuple[int, int]:
    """Return the entries of a table, the first and the one after the last, of a range.

    Args:
        level: The table's level.
        table: The table.
        base: The IPA that its first entry maps.
        start: First IPA of the range, which must not be empty.
        end: The IPA after it.
    """
    first = max(start - base, 0) >> level.shift
    last = ((end - 1 - base) >> level.shift) + 1
    return first, min(last, len(table) // WORD_BYTES)


def _alike(
    table: Table, words: tuple[int, ...], index: int, at: int, shift: int
) -> int:
    """Return how many words from one on are leaves side by side."""
    word, rest = words[at], len(words) - at
    # A whole table of them, or a whole range, is by far the most common.
    if words[-1] == word + (rest - 1 << shift):
        start = (index + at) * WORD_BYTES
        image = WordRun(0, word, shift, rest).image()
        if table[start : start + len(image)] == image:
            return rest
    count = 1
    while count < rest and words[at + count] == word + (count << shift):
        count += 1
    return count


def _span(level: Level, words: WordRun) -> tuple[int, int, int]:
    """Return the level of leaves, and the range that they map."""
    return level.number, words.index << level.shift, words.end << level.shift
