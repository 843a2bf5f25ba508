# SPDX-License-Identifier: MIT
"""The engine of `TableBuilder`: tables as they lie in memory, and changes to them.

*State.* One dict, `Tree.state`, has the tables by their addresses; what is mapped is
read from them. The PGD is in it by pages, so that changing it costs no more than
changing another table. No table but the PGD is ever empty.

*All or nothing.* A change is a `Draft`: it writes to copies of the tables, and reads
them before the tree's own. `Draft.publish` puts all of them into the tree by one
`dict.update`. A draft that ends in an exception leaves the tree as it was.

*Order.* A draft makes descriptors invalid, invalidates the TLB, fills new tables, and
links them last. So every change breaks before it makes, and no table can be reached
before it is complete.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from struct import pack, pack_into
from typing import Any, TypeAlias

from attrs import define, evolve, field, frozen

from s2geom.build.leaf_words import Leaves, is_grouped, leaves_of
from s2geom.build.leaves import LeafRun
from s2geom.build.word_runs import IN_PLACE_BITS, WORD_BYTES, WordRun, read
from s2geom.core.errors import InvalidArgument
from s2geom.core.geometry import Geometry, Level
from s2geom.core.granule import LAST_LEVEL
from s2geom.tables.layout import TABLE_OR_PAGE, AddressLayout

WRITE = "write"
INVALIDATE = "invalidate"
BARRIER = "barrier"

RecordedStep: TypeAlias = tuple[str, int, bytes | int]
"""A kind, where, and what: bytes to write, or how many bytes of IPA to invalidate."""

Words: TypeAlias = defaultdict[int, dict[int, int]]
"""Descriptors of one level: by the number of their table, then by their index in it."""

LevelWords: TypeAlias = defaultdict[int, Words]
"""Descriptors by the number of their level."""

Address: TypeAlias = int
Table: TypeAlias = bytes | bytearray
"""A published table never changes; a draft changes a copy."""

NEXT, STEPS = -1, -2
"""Keys of the state besides addresses: the first address above all tables that there
have been, and the number of recorded steps."""


class OverlapError(Exception):
    """A descriptor is to be written where there is one."""


def no_words() -> LevelWords:
    """Return a place for descriptors, by level, table and index."""
    return defaultdict(lambda: defaultdict(dict))


@define(eq=False)
class Tree:
    """Tables in memory.

    Args:
        geometry: Their shape.
        layout: Where descriptors keep addresses.
        root: Address of the PGD; the other tables are above it.
        record: Whether to keep the steps of every change.
    """

    geometry: Geometry
    layout: AddressLayout
    root: Address
    record: bool
    levels: tuple[Level, ...] = field(init=False)
    entries: int = field(init=False)  # of a whole table
    state: dict[int, Any] = field(init=False)
    steps: list[RecordedStep] = field(init=False, factory=list)
    # A heap with every address below `NEXT` that has no table. It may have others too:
    # what it has is looked up in the state before it is used.
    free: list[Address] = field(init=False, factory=list)
    taken: list[Address] = field(init=False, factory=list)  # off the heap, by a draft

    def __attrs_post_init__(self) -> None:
        size, page = self.geometry.pgd_size, self.geometry.page_size
        self.levels = self.geometry.table_levels
        self.entries = self.geometry.granule.entries
        piece = bytes(min(size, page))
        pieces = range(self.root, self.root + size, page)
        self.state = dict.fromkeys(pieces, piece)
        self.state |= {NEXT: -(-(self.root + size) // page) * page, STEPS: 0}

    def stored(self) -> tuple[Any, ...]:
        """Return all that changes, to be restored in another tree."""
        free = sorted(self.free + self.taken)
        return self.record, self.state.copy(), self.recorded(), free

    def images(self) -> dict[Address, bytes]:
        """Return the tables by address; the pieces of the PGD are one."""
        end = self.root + self.geometry.pgd_size
        pieces = range(self.root, end, self.geometry.page_size)
        images = {self.root: b"".join(map(self.state.__getitem__, pieces))}
        for address, table in sorted(self.state.items()):
            if address >= end and table:
                images[address] = bytes(table)
        return images

    def recorded(self) -> list[RecordedStep]:
        """Return the steps of all changes that were published."""
        return self.steps[: self.state[STEPS]]

    def draft(self) -> "Draft":
        """Begin a change."""
        while self.taken:  # by a draft that was not published
            heappush(self.free, self.taken[-1])
            self.taken.pop()
        return Draft(self, self.state[NEXT])


@define(eq=False)
class Draft:
    """A change that is invisible until it is published.

    Args:
        tree: What it changes.
        next: The first address above all tables.
    """

    tree: Tree
    next: Address
    new: dict[int, Any] = field(init=False, factory=dict)
    """Tables of this change by address, None for one that is freed."""
    steps: list[RecordedStep] = field(init=False, factory=list)

    def publish(self) -> None:
        """Make the change: all of it, or nothing where an exception comes between."""
        tree, new = self.tree, self.new
        state = tree.state
        if tree.record:
            del tree.steps[state[STEPS] :]  # of a change that was not published
            tree.steps += self.steps
            new[STEPS] = len(tree.steps)
        new[NEXT] = self.next
        # With a place for each key, the update that makes the change allocates nothing.
        state.update(dict.fromkeys(new.keys() - state.keys()))
        state.update(new)
        tree.taken.clear()

    # Reading

    def _table(self, address: Address) -> Table:
        table: Table | None = self.new.get(address)
        return self.tree.state[address] if table is None else table

    def _roots(self, start: int, end: int) -> Iterator[tuple[Address, int]]:
        """Yield the tables of the PGD for a range, and the first IPA of each."""
        geometry = self.tree.geometry
        shift = geometry.pgdir_shift + geometry.stride
        for number in range(start >> shift, (end - 1 >> shift) + 1):
            yield self.tree.root + number * geometry.page_size, number << shift

    def _linked(self, word: int) -> Address:
        return self.tree.layout.decode(word, self.tree.geometry.page_shift)

    def _lookup(self, ipa: int, depth: int) -> tuple[Level, int, Address]:
        """Follow the links for an address to a depth, or to where there is none.

        Returns:
            The level that was reached, the word there, and the table that it is in.
        """
        levels, mask = iter(self.tree.levels), self.tree.entries - 1
        last = self.tree.levels[depth]
        [(address, _)] = self._roots(ipa, ipa + 1)
        while True:
            level = next(levels)
            index = ipa >> level.shift & mask
            (word,) = read(self._table(address), index, index + 1)
            if level is last or not _is_link(level, word):
                return level, word, address
            address = self._linked(word)

    def cut_leaf(self, ipa: int, start: int, end: int) -> LeafRun | None:
        """Return the leaf or contiguous group that maps an address of a range, if cut.

        The range cuts it if a part of it is outside.
        """
        level, word, _ = self._lookup(ipa, -1)
        count = level.contiguous if is_grouped(level, word) else 1
        unit = count << level.shift
        first = ipa & -unit
        if not word or (start <= first and first + unit <= end):
            return None
        leaf = leaves_of(self.tree.layout, level, first, word, count)
        return evolve(leaf, pa=leaf.pa & -unit)

    def runs(self, start: int, end: int) -> Iterator[LeafRun]:
        """Yield the leaves that map a part of a range, table by table.

        Leaves are whole, but a contiguous group is cut where the range ends.
        """
        for address, base in self._roots(start, end):
            yield from self._runs(0, address, base, start, end)

    def _runs(
        self, depth: int, address: Address, base: int, start: int, end: int
    ) -> Iterator[LeafRun]:
        level, table = self.tree.levels[depth], self._table(address)
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
                yield leaves_of(self.tree.layout, level, ipa, word, count)
            at += count

    def _find(self, depth: int, number: int) -> Address | None:
        """Return the table of a level with a number, or None if there is none.

        Raises:
            OverlapError: A leaf is in its place.
        """
        wanted = self.tree.levels[depth]
        first = number << wanted.shift + self.tree.geometry.stride
        level, word, address = self._lookup(first, depth)
        if level is wanted:
            return address
        if word:
            raise OverlapError
        return None

    # Clearing

    def replace(self, start: int, end: int, leaves: Sequence[Leaves]) -> None:
        """Let leaves take the place of everything in a range.

        Args:
            start: The range's first IPA. No leaf or contiguous group reaches from the
                range over one of its ends.
            end: The IPA after it.
            leaves: What takes its place, within it.

        Raises:
            InvalidArgument: There is no room for tables.
        """
        change = _Clearing(start, end, leaves)
        before = len(self.steps)
        for address, base in self._roots(start, end):
            self._clear(0, address, base, change)
        empty = bytes(self.tree.geometry.page_size)
        for address in sorted(change.unlinked):
            # The table is unlinked. It is cleared, so that it can be used again.
            self.new[address] = None
            heappush(self.tree.free, address)
            self.steps.append((WRITE, address, empty))
        if len(self.steps) > before:
            self.steps.append((INVALIDATE, start, end - start))
        if leaves:
            self.fill(leaves, no_words())

    def _clear(
        self, depth: int, address: Address, base: int, change: "_Clearing"
    ) -> bool:
        """Clear a range of a table, and of those below; return whether it is needed.

        A table in which nothing is left, and nothing will be, is not changed.
        """
        level, table = self.tree.levels[depth], self._table(address)
        first, last = _entries(level, table, base, change.start, change.end)
        # Tables below the first and the last entry may reach out of the range.
        kept = [
            index
            for index in sorted({first, last - 1})
            if self._is_kept(depth, table, index, base, change)
        ]
        needed = (
            bool(kept)
            or depth == 0
            or not _is_zero(table[: first * WORD_BYTES] + table[last * WORD_BYTES :])
            or change.fills(level, base, len(table) // WORD_BYTES)
        )
        if needed:
            begin = first + (first in kept)
            stop = last - (last - 1 in kept)
            self._empty(depth, address, begin, stop, change)
        return needed

    def _is_kept(
        self, depth: int, table: Table, index: int, base: int, change: "_Clearing"
    ) -> bool:
        """Return whether an entry's table stays, for what it has outside of a range."""
        level = self.tree.levels[depth]
        (word,) = read(table, index, index + 1)
        ipa = base + (index << level.shift)
        inside = change.start <= ipa and ipa + level.entry_size <= change.end
        if inside or not _is_link(level, word):
            return False
        return self._clear(depth + 1, self._linked(word), ipa, change)

    def _empty(
        self, depth: int, address: Address, begin: int, stop: int, change: "_Clearing"
    ) -> None:
        """Clear some entries of a table, and list the tables that they lead to."""
        words = read(self._table(address), begin, max(begin, stop))
        used = [at for at, word in enumerate(words) if word]
        if not used:
            return
        for at in used:
            if _is_link(self.tree.levels[depth], words[at]):
                change.unlinked.extend(self._below(depth + 1, self._linked(words[at])))
        at = (begin + used[0]) * WORD_BYTES
        zeros = bytes((used[-1] + 1 - used[0]) * WORD_BYTES)
        self._open(address)[at : at + len(zeros)] = zeros
        self.steps.append((WRITE, address + at, zeros))

    def _below(self, depth: int, address: Address) -> Iterator[Address]:
        """Yield a table and all that it leads to."""
        yield address
        level, table = self.tree.levels[depth], self._table(address)
        if level.number < LAST_LEVEL:
            for word in read(table, 0, len(table) // WORD_BYTES):
                if _is_link(level, word):
                    yield from self._below(depth + 1, self._linked(word))

    # Filling

    def fill(self, leaves: Sequence[Leaves], words: LevelWords) -> None:
        """Install leaves where nothing is.

        Args:
            leaves: Runs of them.
            words: Further leaves, one by one.

        Raises:
            InvalidArgument: There is no room for tables.
            OverlapError: Something is there, or two of the leaves overlap.
        """
        links: list[WordRun] = []
        writes: list[RecordedStep] = []
        before = len(self.steps)
        for depth in reversed(range(len(self.tree.levels))):
            level = self.tree.levels[depth]
            runs = [run for at, run in leaves if at.number == level.number]
            links, parts = self._whole_tables(depth, runs + links)
            writes += self._part_tables(depth, parts, words)
        if len(self.steps) > before:
            self.steps.append((BARRIER, 0, 0))
        self.steps += writes

    def _whole_tables(
        self, depth: int, runs: Iterable[WordRun]
    ) -> tuple[list[WordRun], dict[int, list[WordRun]]]:
        """Make the tables that one run fills.

        Returns:
            The links to them, and the rest of the runs by the number of its table.
        """
        entries = self.tree.entries
        links: list[WordRun] = []
        parts: dict[int, list[WordRun]] = defaultdict(list)
        for run in sorted(runs, key=lambda run: run.index):
            for start, end in run.spans(entries):
                if depth and (end - start) % entries == 0:
                    links += self._new_tables(run.part(start, end))
                    continue
                for at in range(start, end, entries):  # tables of the PGD
                    parts[at // entries].append(run.part(at, min(at + entries, end)))
        return links, parts

    def _new_tables(self, run: WordRun) -> Iterator[WordRun]:
        """Make tables that a run fills, and return the links to them."""
        entries = self.tree.entries
        addresses = self._take(run.count // entries)
        tables = [*zip(addresses, run.tables(entries), strict=True)]
        self.new.update(tables)
        if self.tree.record:
            self.steps += [(WRITE, *table) for table in tables]
        return self._links(run.index // entries, addresses)

    def _part_tables(
        self, depth: int, parts: dict[int, list[WordRun]], words: LevelWords
    ) -> list[RecordedStep]:
        """Write into tables that are there, or make them and add links to ``words``.

        Returns:
            The steps that change tables that a CPU may read.
        """
        level = self.tree.levels[depth].number
        here: dict[int, dict[int, int]] = words.get(level, {})
        steps: list[RecordedStep] = []
        for number in sorted({*parts, *here}):
            address = self._find(depth, number)
            is_new = address is None
            if address is None:
                address = self._new_table(number, words[level - 1])
            late = self._write(address, parts.get(number, ()), here.get(number, {}))
            if is_new:
                self.steps.append((WRITE, address, self.new[address]))
            else:
                steps += late
        return steps

    def _new_table(self, number: int, above: Words) -> Address:
        """Make an empty table, and add the link to it."""
        geometry = self.tree.geometry
        [address] = self._take(1)
        self.new[address] = bytearray(geometry.page_size)
        table, index = divmod(number, self.tree.entries)
        if index in above[table]:
            raise OverlapError
        link = self.tree.layout.encode(address, geometry.page_shift) | TABLE_OR_PAGE
        above[table][index] = link
        return address

    def _write(
        self, address: Address, runs: Iterable[WordRun], words: dict[int, int]
    ) -> list[RecordedStep]:
        """Write descriptors into empty entries of a table, and return the steps."""
        table = self._open(address)
        steps: list[RecordedStep] = []
        for run in runs:
            at, image = run.index * WORD_BYTES % len(table), run.image()
            if not _is_zero(table[at : at + len(image)]):
                raise OverlapError
            table[at : at + len(image)] = image
            steps.append((WRITE, address + at, image))
        for index, word in words.items():
            if read(table, index, index + 1) != (0,):
                raise OverlapError
            pack_into("<Q", table, index * WORD_BYTES, word)
        if self.tree.record:
            steps += [
                (WRITE, address + index * WORD_BYTES, pack("<Q", word))
                for index, word in words.items()
            ]
        return steps

    def _open(self, address: Address) -> bytearray:
        """Return a table of this change, to be written."""
        table = self._table(address)
        if address not in self.new or isinstance(table, bytes):
            table = self.new[address] = bytearray(table)
        return table

    def _take(self, count: int) -> list[Address]:
        """Take the lowest free places for tables."""
        tree, page = self.tree, self.tree.geometry.page_size
        addresses: list[Address] = []
        while tree.free and len(addresses) < count:
            address = tree.free[0]
            tree.taken.append(address)  # first, so that an exception loses no address
            heappop(tree.free)
            if self._is_free(address):
                self.new[address] = b""  # taken, and not filled yet
                addresses.append(address)
        fresh = count - len(addresses)
        end, limit = self.next + fresh * page, 1 << tree.layout.address_bits
        if end > limit:
            raise InvalidArgument(
                f"no room for {fresh} more tables: they would end at {end:#x}, but "
                f"{tree.layout.address_bits}-bit addresses end at {limit:#x}; "
                "use a lower base"
            )
        addresses += range(self.next, end, page)
        self.next = end
        return addresses

    def _is_free(self, address: Address) -> bool:
        if address in self.new:
            return self.new[address] is None
        state = self.tree.state
        return address < state[NEXT] and state.get(address) is None

    def _links(self, number: int, addresses: Sequence[Address]) -> Iterator[WordRun]:
        """Yield the descriptors of new tables, as few runs of words as they can be."""
        layout, shift = self.tree.layout, self.tree.geometry.page_shift
        start = 0
        while start < len(addresses):
            first, count = addresses[start], len(addresses) - start
            # Addresses ascend, so the distance of two shows whether there is a gap.
            while (
                addresses[start + count - 1] - first >> shift >= count
                or (addresses[start + count - 1] ^ first) >> IN_PLACE_BITS
            ):
                count = -(-count // 2)
            bits = layout.encode(first, shift) | TABLE_OR_PAGE
            yield WordRun(number + start, bits, shift, count)
            start += count


@frozen
class _Clearing:
    """A range that is cleared, and the leaves that take its place."""

    start: int
    end: int
    leaves: Sequence[Leaves]
    unlinked: list[Address] = field(factory=list)
    """Tables that no descriptor links to any more."""

    def fills(self, level: Level, base: int, entries: int) -> bool:
        """Return whether some of the leaves are in a table, or below it."""
        end = base + (entries << level.shift)
        return any(
            at.number >= level.number
            and run.index << at.shift < end
            and base < run.end << at.shift
            for at, run in self.leaves
        )


def _is_zero(data: Table) -> bool:
    return data == bytes(len(data))


def _is_link(level: Level, word: int) -> bool:
    return word & TABLE_OR_PAGE == TABLE_OR_PAGE and level.number < LAST_LEVEL


def _entries(
    level: Level, table: Table, base: int, start: int, end: int
) -> tuple[int, int]:
    """Return a range's entries in a table that maps from ``base``: first, and end."""
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
